import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import PreparationError
from data_prep.folder import FolderSource, prepare_folder, read_image
from data_prep.limits import LeftOut, Limits
from discogan_tf.data.domains import load_domain

_RED, _GREEN, _WHITE = (220, 30, 40), (20, 200, 60), (255, 255, 255)


def _file(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def _read(data, fit="stretch", size=32):
    return read_image(data, size, fit, 10_000_000)[0]


def _is(pixels, color, tolerance=4):
    return np.abs(pixels.astype(int) - color).max() <= tolerance


def _prepare(images, data_dir, val_share=0.2, val_images=None):
    left_out = LeftOut()
    source = FolderSource(images, val_images, val_share)
    counts = prepare_folder(source, data_dir, "boots", 32, Limits(), left_out)
    domains = {split: load_domain(str(data_dir), "boots", split, 32) for split in counts}
    return domains, left_out.lines


def _random_images(folder, count, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_reads_every_format(file_format):
    assert _is(_read(_file(Image.new("RGB", (90, 70), _RED), file_format)), _RED, tolerance=6)


def test_of_an_animation_the_first_frame():
    frames = [Image.new("RGB", (40, 40), color) for color in (_GREEN, _RED)]
    assert _is(_read(_file(frames[0], "GIF", save_all=True, append_images=frames[1:])), _GREEN)


def test_turned_as_the_camera_says():
    image = Image.new("RGB", (64, 64), _RED)
    image.paste(_GREEN, (0, 0, 64, 32))  # Green above.
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned clockwise: what is above comes to the right.
    pixels = _read(_file(image, "JPEG", exif=exif, quality=95))
    assert _is(pixels[:, 20:], _GREEN, 8) and _is(pixels[:, :12], _RED, 8)


def test_gray_palettes_cmyk_and_transparency():
    assert _is(_read(_file(Image.new("L", (40, 40), 99))), (99, 99, 99))
    assert _is(_read(_file(Image.new("RGB", (40, 40), _RED).convert("P"))), _RED, tolerance=30)
    assert _is(
        _read(_file(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG")),
        (255, 0, 0),
        tolerance=6,
    )
    half = Image.new("RGBA", (40, 40), (*_RED, 255))
    half.paste((0, 0, 0, 0), (0, 0, 20, 40))
    pixels = _read(_file(half))
    assert _is(pixels[:, :15], _WHITE) and _is(pixels[:, 17:], _RED)
    assert _is(_read(_file(Image.new("LA", (40, 40), (0, 0)))), _WHITE)
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([0, 0, 0, *_GREEN])
    assert _is(_read(_file(palette, transparency=0)), _WHITE)


def test_what_is_not_square_is_cropped_padded_or_stretched():
    image = Image.new("RGB", (96, 48), _GREEN)
    image.paste(_RED, (0, 0, 24, 48))  # The quarter on the left, which a crop loses.
    data = _file(image)
    assert _is(_read(data, "crop"), _GREEN)
    padded = _read(data, "pad")
    assert _is(padded[:8], _GREEN) and _is(padded[24:], _GREEN)  # As most of the upper side.
    assert _is(padded[8:24, :8], _RED) and _is(padded[8:24, 8:], _GREEN)
    stretched = _read(data, "stretch")
    assert _is(stretched[:, :8], _RED) and _is(stretched[:, 8:], _GREEN)


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (3, 3), (2000, 1500)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_any_shape_becomes_square(shape, fit):
    pixels = _read(_file(Image.new("RGB", shape, _RED), "JPEG"), fit)
    assert pixels.shape == (32, 32, 3)
    assert np.abs(pixels[15:17, 15:17].astype(int) - _RED).max(-1).min() <= 6


def test_large_photos_keep_place_and_color():
    """Scaled within the JPEG transform, then by the area mean: close to the exact area mean."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).resize((1280, 1280))
    data = _file(smooth, "JPEG", quality=95)
    pixels = np.asarray(Image.open(io.BytesIO(data)), np.float64)
    exact = pixels.reshape(32, 40, 32, 40, 3).mean((1, 3))
    assert np.abs(_read(data) - exact).mean() < 1.0


def test_looks_at_any_depth_and_keeps_identical_images_together(tmp_path):
    _random_images(tmp_path / "in" / "deep" / "er", 60)
    for number in range(0, 60, 2):  # Each second one again, elsewhere and in another format.
        image = Image.open(tmp_path / "in" / "deep" / "er" / f"{number:03}.png")
        image.save(tmp_path / "in" / f"again_{number:03}.bmp")
    domains, left_out = _prepare(tmp_path / "in", tmp_path)
    assert not left_out and sum(len(domain.names) for domain in domains.values()) == 90
    pixels = {s: {image.tobytes() for image in domain.images} for s, domain in domains.items()}
    assert not pixels["train"] & pixels["val"] and 4 <= len(pixels["val"]) <= 22
    assert "deep/er/001.png" in domains["train"].names + domains["val"].names


def test_the_split_is_the_same_whatever_else_there_is(tmp_path):
    _random_images(tmp_path / "few", 40)
    _random_images(tmp_path / "many", 40)
    _random_images(tmp_path / "many" / "more", 40, seed=1)
    few, _ = _prepare(tmp_path / "few", tmp_path / "a")
    many, _ = _prepare(tmp_path / "many", tmp_path / "b")
    assert set(few["val"].names) <= set(many["val"].names)


def test_one_image_at_least_is_for_validation(tmp_path):
    for seed in range(5):
        _random_images(tmp_path / str(seed) / "in", 3, seed)
        domains, _ = _prepare(tmp_path / str(seed) / "in", tmp_path / str(seed), val_share=0.01)
        assert {split: len(domain.names) for split, domain in domains.items()} == {
            "train": 2,
            "val": 1,
        }


def test_a_second_folder_for_validation(tmp_path):
    _random_images(tmp_path / "in", 6)
    _random_images(tmp_path / "held_out", 2, seed=1)
    domains, _ = _prepare(tmp_path / "in", tmp_path, val_images=tmp_path / "held_out")
    assert [len(domains[split].names) for split in ("train", "val")] == [6, 2]


def test_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.jpg").write_text("notes")
    with pytest.raises(PreparationError, match=r"no usable images.*notes\.jpg: cannot be decoded"):
        _prepare(tmp_path / "in", tmp_path)
    with pytest.raises(PreparationError, match="no folder at"):
        _prepare(tmp_path / "absent", tmp_path)
    assert not list(tmp_path.glob("incomplete*"))


def test_command_line(tmp_path):
    _random_images(tmp_path / "in", 12)
    command = [
        sys.executable,
        "-m",
        "data_prep",
        "folder",
        f"--data_dir={tmp_path}",
        "--image_size=32",
    ]

    def run(*arguments):
        return subprocess.run([*command, *arguments], capture_output=True, text=True)

    done = run("--name=boots", f"--images={tmp_path / 'in'}", "--fit=pad", "--val_share=0.3")
    assert done.returncode == 0 and "Prepared boots: " in done.stdout, done.stderr
    again = "--name=boots", f"--images={tmp_path / 'in'}", "--val_share=0.3"
    assert "already" in run(*again).stdout
    other = run(*again, "--fit=crop")
    assert other.returncode == 1 and "with fit=pad, not crop. Give --force" in other.stderr
    _random_images(tmp_path / "others", 20, seed=5)
    elsewhere = "--name=boots", f"--images={tmp_path / 'others'}"
    other = run(*elsewhere, "--val_share=0.3")
    assert other.returncode == 1 and "others. Give --force" in other.stderr
    replaced = run(*elsewhere, "--force")
    assert replaced.returncode == 0 and "Prepared boots" in replaced.stdout
    counts = [
        len(load_domain(str(tmp_path), "boots", split, 32).names) for split in ("train", "val")
    ]
    assert sum(counts) == 20
    assert not list(tmp_path.glob("incomplete*"))
    for arguments, words in (
        (("--name=clogs", f"--images={tmp_path / 'absent'}"), "no folder at"),
        (("--name=../clogs", f"--images={tmp_path / 'in'}"), "--name"),
        (("--name=clogs", f"--images={tmp_path / 'in'}", "--val_share=1"), "--val_share"),
    ):
        failed = run(*arguments)
        assert failed.returncode == 1 and words in failed.stderr, failed.stderr
