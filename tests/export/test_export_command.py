"""`export.py` as users run it."""

import shutil
import subprocess
import sys

from discogan_tf.export.versions import version_folders


def _export(*arguments):
    return subprocess.run(
        [sys.executable, "export.py", *map(str, arguments)], capture_output=True, text=True
    )


def test_verify_replays_and_finds_another_network(exported, tmp_path):
    copy = shutil.copytree(exported, tmp_path / "copy")
    sound = _export(f"--verify={copy}")
    assert sound.returncode == 0, sound.stderr
    assert "shoes2handbags, version 1" in sound.stdout
    assert "All golden answers match." in sound.stdout
    absent = _export(f"--verify={copy}", "--version=2")
    assert absent.returncode == 1 and "has no version 2" in absent.stderr
    # One direction under the other's golden answers.
    shutil.rmtree(copy / "handbags2shoes" / "1" / "assets.extra" / "golden")
    shutil.copytree(
        copy / "shoes2handbags" / "1" / "assets.extra" / "golden",
        copy / "handbags2shoes" / "1" / "assets.extra" / "golden",
    )
    changed = _export(f"--verify={copy}")
    assert changed.returncode == 1 and "largest difference" in changed.stderr
    assert "match" not in changed.stdout


def test_export_command(make_run, tmp_path):
    make_run(tmp_path / "run", model="gan")
    done = _export(f"--workdir={tmp_path / 'run'}", f"--export_dir={tmp_path / 'exported'}")
    assert done.returncode == 0, done.stderr
    for words in (
        "step 7",
        "C API",
        "batches of 7",
        "statistics of these 6 examples",
        "docker compose up",
    ):
        assert words in done.stdout
    assert set(version_folders(tmp_path / "exported")) == {"handbags2shoes"}
