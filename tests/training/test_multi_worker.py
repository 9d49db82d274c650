"""Several workers in their own processes, over loopback, against one."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discogan_tf.runs.manifest import complete_steps

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(data_dir, tmp_path):
    """A function that starts a run of some workers in a folder, and returns its process."""

    def begin(workers, folder, *flags):
        program = (
            ["train.py"] if workers == 1 else ["-m", "discogan_tf.launch", f"--workers={workers}"]
        )
        command = [
            sys.executable, *program, f"--data_dir={data_dir}", f"--workdir={tmp_path / folder}",
            "--domain_a=sample_edges2handbags/photo", "--domain_b=sample_edges2shoes/photo",
            "--image_size=32", "--batch_size=4", "--precision=float32", "--log_every_steps=1",
            "--num_threads=1", "--flip", "--base_filters=8", *flags,
        ]  # fmt: skip
        return subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return begin


@pytest.fixture
def train(start):
    """A function that trains likewise, to the end."""

    def run(workers, folder, *flags):
        process = start(workers, folder, *flags)
        output, _ = process.communicate(timeout=400)
        assert process.returncode == 0, output

    return run


def _losses(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "generator_total" in line]


def _processes_of(process):
    found = subprocess.run(
        ["pgrep", "--parent", str(process.pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def _wait_for_a_checkpoint(workdir):
    deadline = time.monotonic() + 240
    while not any(complete_steps(workdir / "checkpoints")[:1]) and time.monotonic() < deadline:
        time.sleep(0.05)


def test_any_number_of_workers_trains_the_same_and_takes_over(train, tmp_path):
    """One, two and four give the same losses up to rounding; two resume the checkpoint of four."""
    train(1, "one", "--num_steps=3")
    train(2, "two", "--num_steps=3")
    train(4, "four", "--num_steps=2")
    train(2, "four", "--num_steps=3")
    for name in ("two", "four"):
        for ours, theirs in zip(_losses(tmp_path / "one"), _losses(tmp_path / name), strict=True):
            for loss in ours:
                # Of gradients each replica reports the norm of its own part.
                if not loss.startswith("gradient_norm"):
                    assert theirs[loss] == pytest.approx(ours[loss], rel=0.02), (name, loss)


def test_two_workers_train_cyclegan_as_one_does(train, cyclegan, tmp_path):
    settings = cyclegan | {"replay_images": 0}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    for workers in (1, 2):
        train(workers, str(workers), "--num_steps=3", *flags)
    for ours, theirs in zip(_losses(tmp_path / "1"), _losses(tmp_path / "2"), strict=True):
        for loss in ours:
            if not loss.startswith("gradient_norm"):
                assert theirs[loss] == pytest.approx(ours[loss], rel=0.02), loss


@pytest.mark.parametrize("index", [0, 1])
def test_a_killed_worker_ends_the_run_and_it_goes_on_exactly(
    start, train, tmp_path, checkpoint_state, index
):
    flags = (
        "--num_steps=6",
        "--save_every_steps=2",
        "--sample_every_steps=2",
        "--evaluate_every_steps=100",
    )
    train(2, "straight", *flags)
    run = start(2, "killed", *flags)
    _wait_for_a_checkpoint(tmp_path / "killed")
    started = time.monotonic()
    worker = sorted(_processes_of(run))[index]
    subprocess.run(["kill", "-KILL", str(worker)], check=True)
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 128 + signal.SIGKILL, output
    assert f"Worker {index} was killed by signal 9" in output
    assert "error: another worker was lost" in output and time.monotonic() - started < 60
    assert complete_steps(tmp_path / "killed" / "checkpoints")[0] < 6
    train(2, "killed", *flags)
    assert checkpoint_state(tmp_path / "killed", 6) == checkpoint_state(tmp_path / "straight", 6)
    assert _losses(tmp_path / "killed") == _losses(tmp_path / "straight")


@pytest.mark.parametrize("index", [0, 1, None])
def test_a_signal_to_any_stops_all_after_the_same_step(start, tmp_path, index):
    """To the chief, which saves; to another; to the launcher."""
    run = start(2, "two", "--num_steps=100000", "--save_every_steps=2")
    _wait_for_a_checkpoint(tmp_path / "two")
    signaled = run.pid if index is None else sorted(_processes_of(run))[index]
    subprocess.run(["kill", "-TERM", str(signaled)], check=True)
    output, _ = run.communicate(timeout=240)
    assert run.returncode == 128 + signal.SIGTERM, output
    stopped = int(output.partition("Stopped and saved at step ")[2].partition(" ")[0])
    assert complete_steps(tmp_path / "two" / "checkpoints")[0] == stopped
