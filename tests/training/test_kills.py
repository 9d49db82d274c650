"""Real training processes that are killed at random moments and resume without a trace."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discogan_tf.runs.manifest import complete_steps, find_corruption

_ROOT = Path(__file__).parents[2]


def _command(model, data_dir, workdir, num_steps):
    """Saves at every step, so that kills land in saves."""
    return [
        sys.executable,
        "train.py",
        f"--data_dir={data_dir}",
        f"--workdir={workdir}",
        f"--num_steps={num_steps}",
        f"--model={model}",
        "--domain_a=sample_edges2handbags/photo",
        "--domain_b=sample_edges2shoes/photo",
        "--image_size=32",
        "--batch_size=4",
        "--precision=float32",
        "--save_every_steps=1",
        "--log_every_steps=1",
        "--sample_every_steps=50",
        "--evaluate_every_steps=4",
        "--flip",
        "--base_filters=8",
        "--identity_weight=0",
    ]


def _last(workdir):
    steps = complete_steps(workdir / "checkpoints")
    return steps[0] if steps else -1


def _killed(command, workdir, rng):
    """Starts the run, kills it a little later, and returns its output."""
    before = max(0, _last(workdir))
    with (workdir.parent / "output.txt").open("w+") as output:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 300
        while _last(workdir) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        output.seek(0)
        return output.read()


def _is_in_a_save(workdir):
    """Whether there are files of an incomplete checkpoint."""
    folder = workdir / "checkpoints"
    complete = {f"step-{step}" for step in complete_steps(folder)}
    return any(
        path.name.partition(".")[0].partition("_")[0] not in complete
        for path in folder.glob("step-*")
    )


@pytest.mark.slow
@pytest.mark.parametrize(("model", "kills"), [("gan", 1), ("discogan", 50)])
def test_killed_again_and_again_it_ends_as_if_it_never_was(
    data_dir, tmp_path, checkpoint_state, model, kills
):
    rng = random.Random(0)
    workdir = tmp_path / "run"
    command = _command(model, data_dir, workdir, 100_000)
    in_saves = 0
    for number in range(kills):
        before = _last(workdir)
        output = _killed(command, workdir, rng)
        in_saves += _is_in_a_save(workdir)
        if number:
            assert f"from its checkpoint of step {before}." in output, output
        assert _last(workdir) > before, output
        assert find_corruption(workdir / "checkpoints" / f"step-{_last(workdir)}") == ""
    reached = _last(workdir)
    print(f"{kills} kills, {in_saves} of them inside a save, up to step {reached}.")
    done = subprocess.run(
        _command(model, data_dir, workdir, reached + 2), cwd=_ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and f"from its checkpoint of step {reached}." in done.stdout, (
        done.stderr
    )
    assert not _is_in_a_save(workdir) and not list((workdir / "checkpoints").glob("*_temp*"))
    straight = tmp_path / "straight"
    subprocess.run(
        _command(model, data_dir, straight, reached + 2), cwd=_ROOT, capture_output=True, check=True
    )
    assert (workdir / "metrics.jsonl").read_text() == (straight / "metrics.jsonl").read_text()
    assert checkpoint_state(workdir, reached + 2) == checkpoint_state(straight, reached + 2)
