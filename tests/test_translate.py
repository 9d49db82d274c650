import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import discogan_tf
from discogan_tf import images as pixels
from discogan_tf.demo.sources import ExportSource
from discogan_tf.errors import ConfigError, DataError
from discogan_tf.export import parity
from discogan_tf.export.bundle import export
from discogan_tf.export.versions import Version
from discogan_tf.translate import translate


@pytest.fixture(scope="module")
def workdir(make_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("translate") / "run"
    make_run(folder)
    return folder


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    image = Image.new("RGB", (90, 50), (180, 30, 40))
    image.save(folder / "wide.jpg")
    image.convert("L").save(folder / "gray.png")
    image.convert("RGBA").save(folder / "alpha.webp")
    image.resize((10, 200)).save(folder / "more" / "tall.png")
    image.resize((32, 32)).save(folder / "wide.png")
    (folder / ".hidden").write_text("passed over")
    return folder


def test_one_png_each_and_a_contact_sheet(workdir, images, tmp_path):
    out = tmp_path / "out"
    assert translate(workdir, "handbags2shoes", images, out) == []
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert found == ["alpha.png", "contact_sheet.png", "gray.png", "more/tall.png", "wide.png",
                     "wide.png.png"]  # fmt: skip
    for name in found:
        if name != "contact_sheet.png":
            assert np.asarray(Image.open(out / name)).shape == (32, 32, 3)


def test_translations_can_be_as_large_as_their_originals(workdir, images, tmp_path, capsys):
    """Enlarged, where the networks are for one size."""
    translate(workdir, "handbags2shoes", images, tmp_path / "large", keep_size=True)
    translate(workdir, "handbags2shoes", images, tmp_path / "small")
    assert "enlarged" in capsys.readouterr().out
    for name, shape in (
        ("gray", (50, 90, 3)),
        ("more/tall", (200, 10, 3)),
        ("wide.png", (32, 32, 3)),
    ):
        assert np.asarray(Image.open(tmp_path / "large" / f"{name}.png")).shape == shape
    # The part of the square that is not margin: 18 of 32 rows.
    small = Image.open(tmp_path / "small" / "gray.png").crop((0, 7, 32, 25))
    large = Image.open(tmp_path / "large" / "gray.png")
    difference = np.asarray(small.resize((90, 50), Image.Resampling.BICUBIC), int) - large
    assert np.abs(difference).max() <= 2


def test_residual_generators_translate_at_any_size(make_run, cyclegan, images, tmp_path, capsys):
    make_run(tmp_path / "run", **cyclegan)
    translate(tmp_path / "run", "handbags2shoes", images, tmp_path / "out", keep_size=True)
    assert "enlarged" not in capsys.readouterr().out
    for name, shape in (
        ("gray", (50, 90, 3)),
        ("more/tall", (200, 10, 3)),
        ("wide.png", (32, 32, 3)),
    ):
        assert np.asarray(Image.open(tmp_path / "out" / f"{name}.png")).shape == shape
    assert (tmp_path / "out" / "contact_sheet.png").is_file()


def test_an_image_translates_alike_alone_and_in_company(workdir, images, tmp_path):
    translate(workdir, "shoes2handbags", images, tmp_path / "all")
    translate(workdir, "shoes2handbags", images / "wide.jpg", tmp_path / "one")
    together = np.asarray(Image.open(tmp_path / "all" / "wide.png"), int)
    alone = np.asarray(Image.open(tmp_path / "one" / "wide.png"), int)
    assert np.abs(together - alone).max() <= 1


def test_the_two_directions_differ(workdir, images, tmp_path):
    for direction in ("handbags2shoes", "shoes2handbags"):
        translate(workdir, direction, images / "wide.jpg", tmp_path / direction)
    one, other = (
        Image.open(tmp_path / d / "wide.png") for d in ("handbags2shoes", "shoes2handbags")
    )
    assert np.abs(np.asarray(one, int) - np.asarray(other, int)).mean() > 0.5


def test_what_cannot_be_translated_says_why(workdir, images, tmp_path):
    with pytest.raises(ConfigError, match="handbags2shoes and shoes2handbags"):
        translate(workdir, "bags2boots", images, tmp_path / "out")
    with pytest.raises(DataError, match="no such file"):
        translate(workdir, "handbags2shoes", tmp_path / "absent", tmp_path / "out")
    with pytest.raises(DataError, match="overwritten"):
        translate(workdir, "handbags2shoes", images, images / "out")
    with pytest.raises(DataError, match="overwritten"):
        translate(workdir, "handbags2shoes", images / "wide.png", images)
    # Originals that this call does not name.
    before = {path: path.read_bytes() for path in images.rglob("*") if path.is_file()}
    for one in (images / "wide.jpg", images / "more"):
        (images / "tall.png").write_bytes(before[images / "more" / "tall.png"])
        with pytest.raises(DataError, match=r"(wide|tall)\.png exists, and may be"):
            translate(workdir, "handbags2shoes", one, images)
    (images / "contact_sheet.png").write_bytes(before[images / "wide.png"])
    for one in (images / "alpha.webp", images / "contact_sheet.png"):
        with pytest.raises(DataError, match=r"contact_sheet\.png (would be|exists)"):
            translate(workdir, "handbags2shoes", one, images)
    (images / "contact_sheet.png").unlink()
    assert all(path.read_bytes() == content for path, content in before.items())
    with pytest.raises(ConfigError, match="no run in"):
        translate(tmp_path, "handbags2shoes", images, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the folder is empty"):
        translate(workdir, "handbags2shoes", tmp_path / "empty", tmp_path / "out")


@pytest.mark.parametrize(("kind", "width"), [("jpeg", 66_000), ("webp", 17_000)])
def test_what_a_format_cannot_hold_is_named_and_skipped(workdir, tmp_path, kind, width):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (width, 8), (180, 30, 40)).save(tmp_path / "in" / "a.png")
    Image.new("RGB", (40, 40), (180, 30, 40)).save(tmp_path / "in" / "b.png")
    out = tmp_path / "out"
    (found,) = translate(
        workdir, "handbags2shoes", tmp_path / "in", out, keep_size=True, file_format=kind
    )
    assert "a.png: cannot be written" in found and "pixels to a side" in found
    suffix = pixels.FILE_SUFFIXES[kind]
    assert {path.name for path in out.iterdir()} == {f"b{suffix}", "contact_sheet.png"}


def test_command_line_skips_reports_and_fails_on_broken_files(workdir, images, tmp_path):
    (images / "broken.jpg").write_bytes(b"no image")
    cut = (images / "wide.jpg").read_bytes()
    (images / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    done = subprocess.run(
        [sys.executable, "-m", "discogan_tf.translate", f"--workdir={workdir}",
         "--direction=handbags2shoes", f"--images={images}", f"--output_dir={tmp_path / 'out'}"],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr and "cut.jpg" in done.stderr
    assert "2 file(s) could not be read" in done.stderr
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6


def test_images_are_framed_as_those_of_training(make_run, tmp_path, monkeypatch):
    """By the command, from Python, in an export and on its page."""
    config = make_run(tmp_path / "run", model="gan")
    provenance = tmp_path / "run" / "provenance.jsonl"
    provenance.write_text('{"fits": {"a": "crop", "b": "pad"}}\n')
    image = Image.new("RGB", (96, 32), (200, 30, 30))
    image.paste((30, 30, 200), (32, 0, 64, 32))  # All that a crop to the middle keeps.
    image.save(tmp_path / "wide.png")
    middle = np.full((32, 32, 3), (30, 30, 200), np.uint8)
    run = discogan_tf.load(tmp_path / "run")
    (expected,) = run.translate([middle], "handbags2shoes")
    (found,) = run.translate([image], "handbags2shoes")
    np.testing.assert_array_equal(found, expected)
    translate(tmp_path / "run", "handbags2shoes", tmp_path / "wide.png", tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "wide.png")), expected)
    # The comparisons take a third of an export, and other tests cover them.
    monkeypatch.setattr(parity, "check_parity", lambda *arguments: {})
    export(config, tmp_path / "exported")
    version = Version(tmp_path / "exported" / "handbags2shoes" / "1")
    files = {"image_bytes": np.array([(tmp_path / "wide.png").read_bytes()], object)}
    served = pixels.decode(version.run("translate_bytes", files)["image_bytes"][0])
    page = ExportSource(tmp_path / "exported").run(np.asarray(image), "handbags2shoes", "", 0)
    for output in (served, page.output):
        assert np.abs(output.astype(int) - expected).max() <= 1
    provenance.write_text('{"fits": {"a": "pad", "b": "crop"}}\n')
    (padded,) = discogan_tf.load(tmp_path / "run").translate([image], "handbags2shoes")
    assert np.abs(padded.astype(int) - expected).max() > 1


def test_originals_are_not_held_at_their_full_size(workdir, images, tmp_path, monkeypatch):
    sizes = []
    read = pixels.read_image
    monkeypatch.setattr(
        pixels, "read_image", lambda path, size, fit: sizes.append(size) or read(path, size, fit)
    )
    translate(workdir, "handbags2shoes", images, tmp_path / "out")
    assert set(sizes) == {32}


def test_directions_sizes_formats_and_pairs(workdir, images, tmp_path, capsys):
    out = tmp_path / "out"
    translate(workdir, "both", images, out, size=80, file_format="webp", side_by_side=True)
    for direction in ("handbags2shoes", "shoes2handbags"):
        with Image.open(out / direction / "wide.webp") as pair:
            assert pair.format == "WEBP" and pair.size == (80 + round(90 * 80 / 50), 80)
    assert "scaled to 80, which adds no detail" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="give --direction=both, or one of: handbags2shoes"):
        translate(workdir, None, images, tmp_path / "none")
    with pytest.raises(ConfigError, match="give only one"):
        translate(workdir, "both", images, tmp_path / "none", keep_size=True, size=80)


def test_a_folder_of_frames_becomes_a_video(workdir, images, tmp_path):
    if shutil.which("ffmpeg") is None:
        with pytest.raises(ConfigError, match="needs ffmpeg"):
            translate(workdir, "handbags2shoes", images, tmp_path / "out", video=5)
        pytest.skip("ffmpeg is not installed")
    translate(workdir, "handbags2shoes", images, tmp_path / "out", video=5)
    assert (tmp_path / "out" / "video.mp4").stat().st_size > 500
    (images / "out").mkdir()
    (images / "video.mp4").write_text("an original")
    with pytest.raises(DataError, match=r"video\.mp4 exists, and may be"):
        translate(workdir, "handbags2shoes", images / "more", images, video=5)


def test_a_moved_run_still_translates(workdir, images, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("config.cfg", "checkpoints"):
        (moved / name).symlink_to(workdir / name)
    assert translate(moved, "a_to_b", images / "wide.jpg", tmp_path / "out") == []
