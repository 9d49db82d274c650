import io
import random
import tarfile

import pytest

from data_prep.tar_stream import TarError, read_tar

_LONG = "folder/" * 30 + "é name.jpg"


def _tar(members, dialect=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=dialect) as tar:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return file.getvalue()


def _read(data, max_content=1 << 20):
    return list(read_tar(io.BytesIO(data), max_content))


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_what_python_writes(dialect):
    rng = random.Random(0)
    lengths = (0, 1, 511, 512, 513, 70_000)
    names = ["a.jpg", "b/" * 60 + "c.jpg" if dialect == tarfile.USTAR_FORMAT else _LONG, *"cdef"]
    members = [(name, rng.randbytes(length)) for name, length in zip(names, lengths, strict=True)]
    found = _read(_tar(members, dialect))
    assert [(member.name, member.content) for member in found] == members
    assert {member.kind for member in found} == {""}


def test_links_devices_and_folders_are_named_and_hold_nothing():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for kind in (
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.FIFOTYPE,
            tarfile.DIRTYPE,
        ):
            header = tarfile.TarInfo("x")
            header.type, header.linkname = kind, "/etc/passwd"
            tar.addfile(header)
    kinds = [member.kind for member in _read(file.getvalue())]
    assert kinds == ["a symbolic link", "a hard link", "a character device", "a pipe", "a folder"]


def test_large_members_are_passed_over():
    members = [("small", b"1"), ("large", bytes(5000)), ("after", b"2")]
    found = _read(_tar(members), max_content=1000)
    assert [(member.name, member.size, member.content) for member in found] == [
        ("small", 1, b"1"), ("large", 5000, None), ("after", 1, b"2"),
    ]  # fmt: skip


def test_names_that_are_no_utf8_are_kept_as_surrogates():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        tar.addfile(tarfile.TarInfo("schön.jpg"))
    (member,) = _read(file.getvalue())
    assert member.name == "sch\udcf6n.jpg"


def test_wherever_it_is_cut_is_an_error():
    data = _tar([("a", bytes(700)), ("b", bytes(100))])
    whole = data.rstrip(b"\0")  # Without the padding to a record.
    for end in (0, 100, 512, 1000, 1536, len(whole) // 512 * 512 + 512):
        with pytest.raises(TarError, match="it ends"):
            _read(data[:end])


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(0, b"x", "checksum"), (124, b"9" * 11, "checksum"), (156, b"5", "checksum")],
)
def test_a_changed_header_is_an_error(place, value, words):
    data = bytearray(_tar([("a", bytes(700))], tarfile.USTAR_FORMAT))
    data[place : place + len(value)] = value
    with pytest.raises(TarError, match=words):
        _read(bytes(data))


def test_an_extension_header_may_not_ask_for_memory():
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    with pytest.raises(TarError, match="of 4294967296 bytes"):
        _read(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


@pytest.mark.parametrize("records", [b"no records", b"5 a=", b"-3 a=b\n", b"99 path=x\n", b"0 \n"])
def test_nonsense_in_an_extension_header_is_an_error(records):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    data = header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512) + bytes(1024)
    with pytest.raises(TarError, match="not a list of records"):
        _read(data)


def test_random_damage_is_an_error_or_other_members_and_nothing_else():
    rng = random.Random(1)
    data = _tar([("photo.jpg", rng.randbytes(900)), (_LONG, rng.randbytes(100))])
    for _ in range(2000):
        corrupt = bytearray(data)
        for _ in range(rng.choice((1, 3, 20))):
            corrupt[rng.randrange(len(corrupt))] = rng.randrange(256)
        try:
            for member in read_tar(io.BytesIO(bytes(corrupt)), 1 << 16):
                assert member.content is None or len(member.content) <= 1 << 16
        except TarError:
            pass


def test_what_follows_the_end_is_told():
    data = _tar([("a", b"1")])
    with pytest.raises(TarError, match="data follows its end"):
        _read(data + data)


def test_a_negative_size_and_endless_extensions_are_errors():
    def pax(record):
        header = tarfile.TarInfo("pax")
        header.type, header.size = tarfile.XHDTYPE, len(record)
        return header.tobuf(tarfile.USTAR_FORMAT) + record + bytes(-len(record) % 512)

    with pytest.raises(TarError, match="a negative size"):
        _read(pax(b"13 size=-600\n") + _tar([("a", b"1")]))
    with pytest.raises(TarError, match="extension header 9"):
        _read(pax(b"11 path=bb\n") * 9 + _tar([("a", b"1")]))
