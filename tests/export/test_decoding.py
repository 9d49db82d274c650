import contextlib
import io
import struct
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import data_prep.folder
from benchmarks.serving_faults import _gif_frame, _gif_of_small_blocks, _jpeg_of, _png_header
from data_prep.errors import ImageError
from discogan_tf import images as pixels
from discogan_tf.export import headers
from discogan_tf.export.decoding import MAX_PIXELS, decode_images, encode_images

_SIZE = 32
_decode = tf.function(
    lambda files: decode_images(files, _SIZE), input_signature=[tf.TensorSpec([None], tf.string)]
)


def _image(width=150, height=100, mode="RGB"):
    """Smooth in one half, noise in the other, transparent to the right where the mode has that."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([200 * x / width, 150 * y / height, 90 + 0 * x], -1)
    pixels[height // 2 :] += rng.integers(0, 50, (height - height // 2, width, 3))
    image = Image.fromarray(pixels.astype(np.uint8))
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray((255 * x / width).astype(np.uint8)))
        return image
    return image.convert(mode)


def _file(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _both(content, tmp_path):
    """A file as decoded by the graph and by `read_image`, in 0 .. 255."""
    path = tmp_path / "image"
    path.write_bytes(content)
    return _decode([content])[0].numpy() * 255, pixels.read_image(path, _SIZE)


_EXACT = {
    "PNG": _file(_image(), "PNG"),
    "PNG, gray": _file(_image(mode="L"), "PNG"),
    "PNG, 16 bits": _file(
        Image.fromarray(np.asarray(_image(mode="L")).astype(np.uint16) * 257), "PNG"
    ),
    "PNG, 1 bit": _file(_image(mode="1"), "PNG"),
    "PNG, palette": _file(_image().quantize(200), "PNG"),
    "PNG, palette of 4 bits": _file(_image().quantize(16), "PNG", bits=4),
    "PNG, palette of 4 bits with transparency": _file(
        _image().quantize(16), "PNG", bits=4, transparency=bytes(range(0, 256, 16))
    ),
    "PNG, transparent": _file(_image(mode="RGBA"), "PNG"),
    "PNG, gray and transparent": _file(_image(mode="LA"), "PNG"),
    "PNG, interlaced size of one pixel": _file(_image(1, 1), "PNG"),
    "PNG, smaller": _file(_image(20, 11), "PNG"),
    "PNG, as large": _file(_image(32, 32), "PNG"),
    "PNG, thin": _file(_image(700, 3), "PNG"),
    "WebP": _file(_image(), "WEBP"),
    "WebP, lossless": _file(_image(), "WEBP", lossless=True),
    "WebP, transparent": _file(_image(mode="RGBA"), "WEBP"),
    "WebP, lossless and transparent": _file(_image(mode="RGBA"), "WEBP", lossless=True),
    "GIF": _file(_image(), "GIF"),
    "GIF, transparent": _file(_image().quantize(16), "GIF", transparency=3),
    "GIF, animated and transparent": _file(
        _image().quantize(16),
        "GIF",
        save_all=True,
        append_images=[_image().rotate(90).quantize(7)],
        transparency=2,
    ),
    "GIF, animated": _file(
        _image(), "GIF", save_all=True, append_images=[_image().rotate(90)], duration=9
    ),
}


@pytest.mark.parametrize("kind", _EXACT)
def test_the_graph_reads_images_as_read_image_does(kind, tmp_path):
    ours, theirs = _both(_EXACT[kind], tmp_path)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(150, 100), (1024, 768), (1023, 768)])
def test_the_graph_reads_jpeg_as_read_image_does(mode, size, tmp_path):
    ours, theirs = _both(_file(_image(*size).convert(mode), "JPEG", quality=95), tmp_path)
    assert np.abs(ours - theirs).mean() < 0.5
    assert np.abs(ours - theirs).max() <= 5


def _turned(kind, orientation, big_endian=False, **options):
    exif = Image.Exif()
    exif[0x010F] = "a camera"  # Another entry before it.
    exif[0x0112] = orientation
    if big_endian:
        exif.endian = ">"
        content = bytearray(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0")
        return _file(_image(), kind, exif=bytes(content + bytes([orientation, 0, 0, 0, 0, 0, 0])))
    return _file(_image(), kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_graph_follows_exif_orientation(kind, orientation, tmp_path):
    ours, theirs = _both(_turned(kind, orientation, lossless=True), tmp_path)
    assert np.abs(ours - theirs).max() <= 5
    lying = _decode([_turned(kind, 1, lossless=True)])[0].numpy() * 255
    assert (np.abs(ours - lying).mean() > 5) == (orientation > 1)


def test_exif_of_either_byte_order_is_followed_and_malformed_exif_is_ignored(tmp_path):
    ours, theirs = _both(_turned("JPEG", 6, big_endian=True), tmp_path)
    assert np.abs(ours - theirs).max() <= 5
    upright = _decode([_file(_image(), "JPEG")]).numpy()
    for exif in (b"", b"II", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + bytes(12)):
        content = _file(_image(), "JPEG", exif=b"Exif\0\0" + exif)
        np.testing.assert_array_equal(_decode([content]), upright)


def _with_scans(jpeg, count):
    """A progressive JPEG with its smallest scan repeated."""
    before, *scans = jpeg.split(b"\xff\xda")
    smallest = min(scans[1:-1], key=len)
    return b"\xff\xda".join([before, scans[0], *[smallest] * count, *scans[1:]])


def test_scans_are_limited_but_only_those_of_the_first_image(tmp_path):
    jpeg = _file(_image(), "JPEG", progressive=True)
    # A video behind it, as phones append one, and a thumbnail before it.
    video = np.random.default_rng(0).bytes(6 << 20)
    assert video.count(b"\xff\xda") > 64
    thumbnail = b"\xff\xe1" + (2 + len(jpeg)).to_bytes(2, "big") + jpeg
    usual = jpeg[:2] + thumbnail + jpeg[2:] + video
    ours, theirs = _both(usual, tmp_path)
    assert np.abs(ours - theirs).max() <= 5
    (tmp_path / "in_training").write_bytes(usual)
    data_prep.folder.read_image(usual, _SIZE, "pad", 10**6)
    mpo = _file(_image(), "MPO", save_all=True, append_images=[_image()], progressive=True)
    for hostile in (_with_scans(jpeg, 100), _with_scans(mpo, 100)):
        (tmp_path / "hostile").write_bytes(hostile)
        with pytest.raises(tf.errors.InvalidArgumentError, match="so many scans"):
            _decode([hostile])
        with pytest.raises(OSError, match="scans takes too long"):
            pixels.read_image(tmp_path / "hostile", _SIZE)
        with pytest.raises(ImageError, match="scans takes too long"):
            data_prep.folder.read_image(hostile, _SIZE, "pad", 10**6)


def test_corrupt_files_are_refused_by_all(tmp_path):
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, options in (("JPEG", {"exif": exif}), ("PNG", {}), ("WEBP", {}), ("GIF", {})):
        content = bytearray(_file(_image(60, 40), kind, **options))
        for _ in range(10):
            corrupt = bytearray(content)
            for place in rng.integers(0, len(content), 8):
                corrupt[place] = rng.integers(256)
            (tmp_path / "image").write_bytes(corrupt)
            with contextlib.suppress(OSError):  # And nothing else.
                pixels.read_image(tmp_path / "image", _SIZE)
            with contextlib.suppress(tf.errors.InvalidArgumentError):
                _decode([bytes(corrupt)])


def test_transparency_becomes_white_and_margins_have_the_color_of_the_border():
    image = Image.new("RGBA", (40, 20), (10, 20, 30, 0))
    assert np.all(_decode([_file(image, "PNG")])[0] == 1)
    opaque = Image.new("RGB", (40, 20), (255, 0, 102))
    opaque.paste((0, 0, 0), (0, 5, 40, 15))
    decoded = _decode([_file(opaque, "PNG")])[0].numpy()
    assert np.allclose(decoded[[*range(9), *range(24, 32)]], [1, 0, 0.4])
    assert np.all(decoded[14:18] == 0)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("shape", [(150, 100), (70, 90), (20, 12), (64, 64)])
def test_images_become_square_as_in_training(fit, shape, tmp_path):
    content = _file(_image(*shape), "PNG")
    (tmp_path / "image").write_bytes(content)
    in_training, _ = data_prep.folder.read_image(content, _SIZE, fit, 10**6)
    in_use = pixels.read_image(tmp_path / "image", _SIZE, fit).astype(int)
    in_graph = decode_images(tf.constant([content]), _SIZE, fit)[0].numpy() * 255
    np.testing.assert_allclose(in_graph, in_use, atol=1e-3)
    # Resampling of enlarged images differs in detail.
    assert np.abs(in_use - in_training).mean() < (0.5 if min(shape) >= _SIZE else 3)


def test_stretching_shrinks_one_side_and_then_enlarges_the_other(tmp_path):
    content = _file(_image(4 * _SIZE, _SIZE // 2), "PNG")
    (tmp_path / "image").write_bytes(content)
    in_training, _ = data_prep.folder.read_image(content, _SIZE, "stretch", 10**6)
    in_use = pixels.read_image(tmp_path / "image", _SIZE, "stretch").astype(int)
    assert np.abs(in_use - in_training).mean() < 0.5


def test_a_batch_of_all_kinds_at_once():
    together = _decode(list(_EXACT.values())).numpy()
    for index, content in enumerate(_EXACT.values()):
        np.testing.assert_array_equal(together[index], _decode([content])[0])


def test_encoding_and_decoding_give_the_image_back():
    images = np.random.default_rng(0).integers(0, 256, (3, _SIZE, _SIZE, 3), np.uint8)
    again = _decode(encode_images(pixels.to_float(tf.constant(images))))
    np.testing.assert_array_equal(pixels.to_uint8(again), images)


_JPEG = _file(_image(256, 256), "JPEG")
_ANIMATED_WEBP = _file(
    _image(), "WEBP", save_all=True, append_images=[_image().rotate(90)], duration=9
)


def _lossless_webp(width, height):
    packed = (width - 1) | (height - 1) << 14
    return b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + struct.pack("<I", packed) + bytes(8)


def _extended_webp(width, height):
    sizes = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sizes + bytes(8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a JPEG, PNG, GIF or WebP"),
        (b"How do I translate my own image?", "not a JPEG, PNG, GIF or WebP"),
        (_file(_image(), "BMP"), "not a JPEG, PNG, GIF or WebP"),
        (_png_header(20_000, 20_000), "20000 x 20000 pixels"),
        (_png_header(2**32 - 1, 2**32 - 1), "4294967295 x 4294967295 pixels"),
        (_png_header(MAX_PIXELS // 1000 + 1, 1000), "pixels"),
        (_png_header(0, 5), "0 x 5 pixels"),
        (_jpeg_of(_JPEG, 20_000, 20_000), "20000 x 20000 pixels"),
        (_gif_frame(65_535, 65_535), "65535 x 65535 pixels"),
        (_lossless_webp(16_000, 16_000), "16000 x 16000 pixels"),
        (_extended_webp(20_000, 10_000), "20000 x 10000 pixels"),
        (_ANIMATED_WEBP, "animated WebP"),
        (_JPEG[: len(_JPEG) // 2], "JPEG"),
        (_JPEG[:20], "JPEG"),
        (_EXACT["PNG"][:2000], "PNG"),
        (_EXACT["PNG"][:10], "not a JPEG, PNG, GIF or WebP"),
        (_EXACT["GIF"][:2000], "GIF"),
        (_EXACT["GIF"][:20], "GIF"),
        (_EXACT["WebP"][: len(_EXACT["WebP"]) // 2], "WebP"),
    ],
)
def test_what_is_no_image_or_too_large_is_refused(content, reason):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        _decode([content])


def _gif(width, height, frame_width, frame_height):
    screen = (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes([200, 10, 10, 0, 0, 0])
    )
    frame = (
        b"," + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\x02\x02\x44\x01\x00"
    )
    return screen + frame + b";"


def test_a_gif_whose_frame_leaves_some_of_the_screen_is_refused():
    np.testing.assert_allclose(_decode([_gif(1, 1, 1, 1)])[0, 5, 5] * 255, [200, 10, 10], atol=1e-3)
    for sizes in ((2, 1, 1, 1), (1, 1, 60_000, 60_000)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="does not fill its screen"):
            _decode([_gif(*sizes)])


def test_a_gif_of_countless_blocks_is_refused_soon():
    started = time.monotonic()
    with pytest.raises(tf.errors.InvalidArgumentError, match="GIF"):
        _decode([_gif_of_small_blocks()])
    assert (
        time.monotonic() - started < 20
    )  # Some 0.5 s; a step for each block would be 8 s or more.


def test_all_images_of_a_request_together_are_limited():
    image = _file(Image.new("L", (5000, 5000)), "PNG")
    assert _decode([image] * 2).shape == (2, _SIZE, _SIZE, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="75000000 pixels; 50000000 in all"):
        _decode([image] * 3)


def test_a_gif_with_thousands_of_frames_costs_no_more_than_its_first():
    """Each frame declares 25 megapixels, 75 GB together; the first is one pixel."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes([200, 10, 10, 0, 0, 0])

    def frame(width, height):
        return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"

    content = screen + b"!\xfe\x05hello\x00" + frame(1, 1) + frame(5000, 5000) * 3000 + b";"
    image = _decode([content])[0].numpy() * 255
    np.testing.assert_allclose(image[5, 5], [200, 10, 10], atol=1e-3)


@pytest.mark.parametrize("kind", _EXACT)
def test_headers_say_what_pillow_says(kind):
    content = tf.constant(_EXACT[kind])
    index = headers.image_format(content)
    assert headers.FORMATS[index] == kind[: len(headers.FORMATS[index])]
    width, height = Image.open(io.BytesIO(_EXACT[kind])).size
    assert headers.image_shape(content, index).numpy().tolist() == [height, width]
