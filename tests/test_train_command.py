"""`python train.py` as a user runs it, in processes of its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import config as configs

_ROOT = Path(__file__).parents[1]


def _command(data_dir, workdir, *more):
    return [
        sys.executable, "train.py", f"--data_dir={data_dir}", f"--workdir={workdir}",
        "--domain_a=sample_edges2handbags/photo", "--domain_b=sample_edges2shoes/photo",
        "--image_size=32", "--batch_size=4", "--generator_updates_per_step=1",
        "--save_every_steps=3", "--sample_every_steps=1000", "--log_every_steps=1", *more,
    ]  # fmt: skip


def _run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, cwd=_ROOT)


def test_killed_or_interrupted_it_goes_on_from_the_last_checkpoint(data_dir, tmp_path):
    command = _command(data_dir, tmp_path / "run")
    process = subprocess.Popen([*command, "--num_steps=100000"], cwd=_ROOT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    checkpoints, deadline = tmp_path / "run" / "checkpoints", time.monotonic() + 200
    while len(list(checkpoints.glob("*.manifest"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    saved = max(int(path.stem.removeprefix("step-")) for path in checkpoints.glob("*.manifest"))

    interrupted = subprocess.Popen([*command, "--num_steps=100000"], cwd=_ROOT, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    newest = checkpoints / f"step-{saved + 6}.index"
    while not newest.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    interrupted.send_signal(signal.SIGINT)
    output, _ = interrupted.communicate()
    assert interrupted.returncode == 128 + signal.SIGINT
    resumed = int(output.partition("from its checkpoint of step ")[2].partition(".")[0])
    assert saved - 3 <= resumed <= saved  # The newest may have been in writing.
    stopped = int(output.partition("Stopped and saved at step ")[2].partition(" ")[0])

    done = _run(*command, f"--num_steps={stopped + 2}")
    assert done.returncode == 0, done.stderr
    assert f"from its checkpoint of step {stopped}." in done.stdout
    assert [line["step"] for line in _losses(tmp_path / "run")] == list(range(1, stopped + 3))


def _losses(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "generator_total" in line]


def _checkpoint(workdir, step):
    reader = tf.train.load_checkpoint(str(workdir / "checkpoints" / f"step-{step}"))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    # How often a process saved is no part of what it learned.
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


def test_stopping_and_going_on_is_like_never_stopping(data_dir, tmp_path):
    """Over an epoch boundary (14 pictures, 8 a step), with flips and two generator updates.

    To rounding: most times the two are equal to the bit, but in some processes TensorFlow's arithmetic
    differs in the last one, which training then amplifies. Lost optimizer slots, another order of
    pictures or other flips would show as differences of the order of 1.
    """
    more = ["--generator_updates_per_step=2", "--flip"]
    for workdir, num_steps in (("straight", 2), ("resumed", 1), ("resumed", 2)):
        done = _run(*_command(data_dir, tmp_path / workdir, *more, f"--num_steps={num_steps}"))
        assert done.returncode == 0, done.stderr
    assert "from its checkpoint of step 1." in done.stdout
    expected, found = _checkpoint(tmp_path / "straight", 2), _checkpoint(tmp_path / "resumed", 2)
    assert expected.keys() == found.keys() and len(expected) > 200
    for name, value in expected.items():
        error = np.linalg.norm(found[name] - value) / max(np.linalg.norm(value), 1e-12)
        assert error < 0.1, (name, error)
    straight, resumed = (_losses(tmp_path / run) for run in ("straight", "resumed"))
    for ours, theirs in zip(straight, resumed, strict=True):
        for name in ours:
            assert theirs[name] == pytest.approx(ours[name], rel=2e-3), name


def test_bad_settings_and_missing_data_are_plain_errors(data_dir, tmp_path):
    missing = _run(*_command(data_dir, tmp_path / "run", "--domain_a=edges2boots/photo"))
    assert missing.returncode == 1
    assert "make quickstart" in missing.stderr and "Traceback" not in missing.stderr
    bad = _run(*_command(data_dir, tmp_path / "run", "--learning_rate=-1"))
    assert bad.returncode == 1
    assert "--learning_rate=-1.0: must be greater than 0" in bad.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flagfile", ["bags_shoes.cfg", "chapter.cfg", "quickstart.cfg"])
def test_flagfiles_are_valid(flagfile):
    config = configs.from_flagfile((_ROOT / flagfile).read_text())
    assert config.name_a == "handbags" and config.name_b == "shoes"


def test_help_does_not_load_tensorflow():
    done = _run(sys.executable, "-X", "importtime", "train.py", "--help")
    assert "--reconstruction_weight" in done.stdout
    assert "absl" in done.stderr and "tensorflow" not in done.stderr
