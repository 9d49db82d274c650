"""Captioned images as domains."""

import csv
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from data_prep.captions.domain import CaptionSource
from data_prep.captions.split import groups_of_copies, held_out_combinations, split_images
from data_prep.captions.table import CaptionedImage, Columns, read_table
from data_prep.check.caption_findings import examine_captions
from data_prep.errors import PreparationError
from data_prep.limits import LeftOut
from data_prep.prepare import prepare_captioned
from data_prep.prepared import open_domain
from data_prep.sample.captions import captions_of

_HEADER = "image\ttitle\ttype\tcolour\n"


def _read(content: str, name="captions.tsv", **columns):
    left_out = LeftOut()
    return read_table(content.encode(), name, Columns(**columns), left_out), left_out.lines


def test_usual_columns_are_found():
    found, left_out = _read(_HEADER + "1.jpg\t Red  boot \tBoots\tRed\n2.jpg\tTote\tBags\tBlue\n")
    assert left_out == []
    assert found["1.jpg"].captions == ["Red boot"]
    assert (found["2.jpg"].type, found["2.jpg"].color) == ("Bags", "Blue")
    assert found["2.jpg"].attributes == {"type": "Bags", "colour": "Blue"}


def test_templates_and_rows_of_one_image_are_merged():
    rows = "1.jpg\tRed boot\tBoots\tRed\n1.jpg\tA boot\tBoots\tRed\n2.jpg\tTote\t\tBlue\n"
    found, _ = _read(_HEADER + rows, captions=("title",), templates=("{colour} {type}", "{type}"))
    assert found["1.jpg"].captions == ["Red boot", "Red Boots", "Boots", "A boot"]
    assert found["2.jpg"].captions == ["Tote"]  # No template with an empty cell.


def test_templates_name_columns_whatever_their_names():
    columns = {"image": "image", "captions": (), "templates": ("{product.color}, {0}",)}
    found, _ = _read("image\tproduct.color\t0\n1.jpg\tred\tboot\n", **columns)
    assert found["1.jpg"].captions == ["red, boot"]


def test_the_limit_of_fields_is_never_lowered():
    """It is that of the whole process."""
    before = csv.field_size_limit()
    _read("image,caption\n1.jpg,red\n", "c.csv")
    assert csv.field_size_limit() >= before


def test_csv_and_json_lines():
    table, _ = _read('image,caption\n1.jpg,"red, with a ""dot"""\n', "c.csv")
    assert table["1.jpg"].captions == ['red, with a "dot"']
    lines = '{"image": "1.jpg", "captions": ["a", "b", "a"]}\nnot json\n\n[1]\n'
    found, left_out = _read(lines, "c.jsonl")
    assert found["1.jpg"].captions == ["a", "b"]
    assert len(left_out) == 2 and "row 2: not JSON" in left_out[0] and "row 4" in left_out[1]


def test_bad_rows_are_named_and_skipped():
    rows = "1.jpg\tRed\tB\tR\n\tx\tB\tR\n2.jpg\t \tB\tR\n3.jpg\tshort\n4.jpg\ta\x07b\tB\tR\n"
    found, left_out = _read(_HEADER + rows + "5.jpg\ta\tb\tc\td\n")
    assert list(found) == ["1.jpg"]
    left_out.sort()
    assert [line.partition(":")[0] for line in left_out] == [
        "captions.tsv, row 2", "captions.tsv, row 3", "captions.tsv, row 4", "captions.tsv, row 5",
        "captions.tsv, row 5", "captions.tsv, row 6",
    ]  # fmt: skip
    assert any("control characters" in line for line in left_out)


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("image\tname\n1.jpg\tx\n", {}, "--caption_columns"),
        ("path\ttitle\n1.jpg\tx\n", {}, "no column image; its columns are path, title"),
        (_HEADER + "1.jpg\tx\tB\tR\n", {"color": "hue"}, "no column hue"),
        (_HEADER + "1.jpg\tx\tB\tR\n", {"templates": ("{size}",)}, "no column size"),
        (_HEADER + "1.jpg\tx\tB\tR\n", {"templates": ("no field",)}, "name columns in it"),
        (_HEADER + "1.jpg\tx\tB\tR\n", {"templates": ("{type",)}, "--template"),
        (_HEADER + "1.jpg\tx\tB\tR\n", {"templates": ("{type:d}",)}, "without a format"),
        (_HEADER, {}, "no usable row"),
        ("", {}, "no usable row"),
    ],
)
def test_a_table_that_cannot_be_used(content, columns, message):
    with pytest.raises(PreparationError, match=message):
        _read(content, **columns)


def test_a_table_in_another_encoding():
    with pytest.raises(PreparationError, match="UTF-8"):
        read_table("image\tcaption\n1.jpg\tgrün\n".encode("latin-1"), "c.tsv", Columns(), LeftOut())


def _row(kind="", color=""):
    return CaptionedImage("x", ["x"], {}, kind, color)


def test_copies_share_a_group():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    images[3] = images[0]
    images[5] = np.clip(images[1].astype(int) + rng.integers(-3, 4, images[1].shape), 0, 255)
    images[4] = np.clip(images[5].astype(int) + rng.integers(-3, 4, images[1].shape), 0, 255)
    groups = groups_of_copies(images)
    assert groups.tolist() == [0, 1, 2, 0, 1, 1]
    for share in (0.1, 0.5, 0.9):
        splits = split_images(images, [_row()] * 6, share, set())
        assert splits[0] == splits[3] and splits[1] == splits[4] == splits[5]
    assert "val" in split_images(images, [_row()] * 6, 1e-9, set())


def test_combinations_are_held_out_whole_and_only_of_known_parts():
    rows = [_row(kind, color) for kind in "abcd" for color in ("red", "blue", "green", "pink")]
    rows.append(_row("e", "violet"))
    held_out = held_out_combinations(rows, 0.3)
    assert 0 < len(held_out) < 16 and ("e", "violet") not in held_out
    assert held_out_combinations(rows, 0.0) == set()
    assert held_out <= held_out_combinations(rows, 0.6)
    images = np.random.default_rng(1).integers(0, 256, (17, 32, 32, 3), dtype=np.uint8)
    for row, split in zip(rows, split_images(images, rows, 0.0, held_out), strict=True):
        assert (split == "val") == ((row.type, row.color) in held_out)


def _write_images(folder, names):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(folder / name)


def _prepare(tmp_path, size=32, **source):
    defaults = {"table": None, "images": None, "archive": None, "columns": Columns()}
    prepare_captioned(CaptionSource(**defaults | source), tmp_path / "data", "shop", size)
    return open_domain(tmp_path / "data", "shop", size)


def test_a_folder_becomes_a_domain_with_captions_in_order(tmp_path, capsys):
    names = [f"{number}.png" for number in range(12)]
    _write_images(tmp_path / "shop", names)
    (tmp_path / "shop" / "3.png").write_bytes(b"no image")
    rows = "".join(
        f"{name}\tcaption {name}\tBoots\tRed\n" for name in [*names, "x.png", "../y.png"]
    )
    (tmp_path / "shop" / "t.tsv").write_text(_HEADER + rows)
    domain = _prepare(tmp_path, table=tmp_path / "shop" / "t.tsv", val_share=0.3)
    folder = tmp_path / "data/shop/32px/2.0.0"
    captions = json.loads((folder / "captions.json").read_text())
    assert sum(map(len, domain.names.values())) == 11
    for split, of_split in domain.names.items():
        assert [row["captions"] for row in captions[split]] == [[f"caption {n}"] for n in of_split]
        assert all(not row["held_out"] for row in captions[split])
    assert "captions.json" in domain.preparation["fingerprints"]
    left_out = "\n".join(domain.preparation["left_out"])
    assert "x.png: named in the table" in left_out and "3.png" in left_out
    assert "../y.png: outside of shop" in left_out
    assert "11 left out" not in capsys.readouterr().out


def test_a_table_whose_combinations_cannot_be_held_out_says_so(tmp_path, capsys):
    names = [f"{number}.png" for number in range(12)]
    _write_images(tmp_path / "shop", names)
    rows = "".join(f"{name}\tcaption\tBoots\tRed\n" for name in names)
    (tmp_path / "shop" / "t.tsv").write_text(_HEADER + rows)
    _prepare(tmp_path, table=tmp_path / "shop" / "t.tsv", val_share=0.3, held_out_share=0.5)
    assert "no combination is held out" in capsys.readouterr().out


def test_the_split_is_the_same_at_every_size(tmp_path):
    names = [f"{number}.png" for number in range(20)]
    _write_images(tmp_path / "shop", names)
    (tmp_path / "shop" / "t.tsv").write_text(
        "image\tcaption\n" + "".join(f"{name}\tx\n" for name in names)
    )
    source = {"table": tmp_path / "shop" / "t.tsv", "val_share": 0.4}
    splits = [_prepare(tmp_path, size, **source).names for size in (16, 32, 64)]
    assert splits[0] == splits[1] == splits[2] and len(splits[0]["val"]) > 1


def test_an_archive_with_its_table(tmp_path):
    _write_images(tmp_path / "shop", ["1.png", "2.png", "3.png"])
    (tmp_path / "shop" / "t.tsv").write_text("image\tcaption\nimg/1.png\ta\nimg/2.png\tb\n")
    with tarfile.open(tmp_path / "shop.tar.gz", "w:gz") as tar:
        for number in (1, 2, 3):  # Images come before the table, as they may.
            tar.add(tmp_path / "shop" / f"{number}.png", f"shop/img/{number}.png")
        tar.add(tmp_path / "shop" / "t.tsv", "shop/t.tsv")
    domain = _prepare(tmp_path, archive=tmp_path / "shop.tar.gz", val_share=0.0)
    assert domain.names["train"] == ["img/1.png", "img/2.png"]


def test_images_of_an_archive_that_are_not_used_have_their_own_reason(tmp_path):
    _write_images(tmp_path / "shop", ["1.png"])
    (tmp_path / "shop" / "empty.png").touch()
    rows = "".join(f"{name}.png\ta\n" for name in ("1", "empty", "absent"))
    (tmp_path / "shop" / "t.tsv").write_text("image\tcaption\n" + rows)
    with tarfile.open(tmp_path / "shop.tar", "w") as tar:
        tar.add(tmp_path / "shop", "shop")
        tar.add(tmp_path / "shop/1.png", "shop/./1.png")  # The same image again.
    domain = _prepare(tmp_path, archive=tmp_path / "shop.tar", val_share=0.0)
    assert domain.names["train"] == ["1.png"]
    assert domain.preparation["left_out"] == [
        "empty.png: an empty file",
        "absent.png: named in the table, but there is no such image",
    ]


@pytest.mark.parametrize("count", [0, 2])
def test_an_archive_without_one_table(tmp_path, count):
    with tarfile.open(tmp_path / "shop.tar", "w") as tar:
        for number in range(count):
            header = tarfile.TarInfo(f"shop/{number}.tsv")
            header.size = 3
            tar.addfile(header, io.BytesIO(b"abc"))
        tar.addfile(tarfile.TarInfo("shop/1.jpg"), io.BytesIO())
    with pytest.raises(PreparationError, match=f"holds {count} tables"):
        _prepare(tmp_path, archive=tmp_path / "shop.tar")


def test_nothing_is_left_behind_if_no_image_is_usable(tmp_path):
    (tmp_path / "t.tsv").write_text("image\tcaption\n1.jpg\ta\n")
    with pytest.raises(PreparationError, match="none of the images"):
        _prepare(tmp_path, table=tmp_path / "t.tsv")
    assert not list((tmp_path / "data").iterdir())


def test_the_samples_captions_say_what_was_drawn():
    attributes = {
        "kind": "ankle boot", "color": "red", "second_color": "blue", "two_tone": True,
        "pattern": "dots",
    }  # fmt: skip
    captions = captions_of(attributes, np.random.default_rng(0))
    assert len(set(captions)) == len(captions) == 6
    for caption in captions:
        assert "ankle boot" in caption and "red" in caption and "blue" in caption
        assert "dot" in caption and "{" not in caption
    plain = captions_of(
        attributes | {"two_tone": False, "pattern": "plain"}, np.random.default_rng(0)
    )
    assert not any("blue" in caption or "dot" in caption for caption in plain)


def test_check_knows_captions():
    def row(caption, kind="boot", color="red"):
        return {"captions": [caption], "type": kind, "color": color}

    rows = [row(f"red boot {number}") for number in range(40)]
    rows += [
        row("y" * 100),
        row("赤い靴"),
        row("café \u2013 crème"),
        row("shoe"),
        row("Shoe", "pump"),
    ]
    texts = {f.text.partition(":")[0]: f for f in examine_captions("shop", {"train": rows})}
    assert len(texts) == 4
    assert texts["longer than 99 characters"].examples == ("y" * 100,)
    (foreign,) = (f for text, f in texts.items() if text.startswith("in another script"))
    assert foreign.examples == ("赤い靴",) and foreign.level == "note"
    (ambiguous,) = (f for text, f in texts.items() if text.startswith("the same for images"))
    assert ambiguous.examples == ("shoe", "Shoe")
    assert any("fewer than 5" in text for text in texts)
    (finding,) = examine_captions("shop", {"train": [row("boot", "", "")]})
    assert finding.text == "no types and colors"


def test_tables_as_other_programs_write_them():
    pandas, left_out = _read(",image,caption\n0,1.jpg,a\n1,2.jpg,b\n", "c.csv")
    assert list(pandas) == ["1.jpg", "2.jpg"] and not left_out
    lines = (
        '{"image": "1.jpg", "caption": "a\u2028b"}\n'
        '{"image": "2.jpg", "caption": "c", "type": 0, "color": "red"}\n'
        '{"image": "3.jpg", "caption": {"text": "d"}}\n'
        '{"image": "4.jpg", "caption": "cut \\ud83d"}\n'
    )
    found, left_out = _read(lines, "c.jsonl")
    assert list(found) == ["1.jpg", "2.jpg"]
    assert (found["2.jpg"].type, found["2.jpg"].color) == ("0", "red")
    assert any("not text" in line for line in left_out) and len(left_out) == 4
    with pytest.raises(PreparationError, match="several columns title"):
        _read("image,title,title\n1.jpg,a,b\n", "c.csv")
    _read(f"image\tcaption\n1.jpg\t{'x' * 200_000}\n")


def test_names_that_no_file_can_have_are_left_out(tmp_path):
    _write_images(tmp_path / "shop", ["1.png"])
    rows = "image\tcaption\n1.png\ta\n" + "n" * 300 + "\tb\nnul\0.png\tc\n"
    (tmp_path / "shop" / "t.tsv").write_text(rows)
    domain = _prepare(tmp_path, table=tmp_path / "shop" / "t.tsv", val_share=0.0)
    assert domain.names == {"train": ["1.png"]}
    assert len(domain.preparation["left_out"]) == 2


def test_an_archive_made_in_its_folder(tmp_path):
    _write_images(tmp_path / "shop", ["1.png"])
    (tmp_path / "shop" / "t.tsv").write_text("image\tcaption\n./1.png\ta\n")
    with tarfile.open(tmp_path / "shop.tar", "w") as tar:
        tar.add(tmp_path / "shop" / "t.tsv", "./t.tsv")
        tar.add(tmp_path / "shop" / "1.png", "./1.png")
    domain = _prepare(tmp_path, archive=tmp_path / "shop.tar", val_share=0.0)
    assert domain.names == {"train": ["./1.png"]}


def test_a_share_out_of_range(tmp_path):
    with pytest.raises(PreparationError, match="--held_out_combinations=2"):
        _prepare(tmp_path, table=tmp_path / "t.tsv", held_out_share=2)


def test_a_type_and_a_color_stay_in_two_combinations():
    rows = [_row(kind, color) for kind in "abc" for color in ("red", "blue", "green")]
    kept = {(row.type, row.color) for row in rows} - held_out_combinations(rows, 0.999)
    for place, values in enumerate(("abc", ("red", "blue", "green"))):
        for value in values:
            assert sum(pair[place] == value for pair in kept) >= 2
    assert len(kept) < 9
