"""Faults during a run: crashes, corruption, a full disk, NaN, signals."""

import dataclasses
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.errors import CheckpointError, ConfigError, DataError, NonFiniteLossError
from discogan_tf.models import create_model
from discogan_tf.runs import checkpoints
from discogan_tf.runs.checkpoints import Checkpoints, last_checkpoint
from discogan_tf.runs.lock import WorkdirLock
from discogan_tf.runs.manifest import complete_steps
from discogan_tf.training import loop
from discogan_tf.training.loop import train
from tests.training.fakes import (
    fake_losses,
    logged_losses,
    tensorboard_tags,
    with_fake_metrics,
    with_fake_step,
)


@pytest.fixture
def tiny_config(tiny_config, monkeypatch):
    """Of the smallest model: what the loop does at faults is the same for all."""
    with_fake_metrics(monkeypatch)
    return dataclasses.replace(tiny_config, model="gan")


def test_lost_checkpoints_are_no_new_start(tiny_config):
    config = dataclasses.replace(tiny_config, num_steps=1, save_every_steps=1)
    train(config)
    for path in (Path(config.workdir) / "checkpoints").glob("*.manifest"):
        path.unlink()
    with pytest.raises(CheckpointError, match="holds a run but no checkpoint"):
        train(dataclasses.replace(config, num_steps=2))


def test_a_crash_before_the_first_complete_checkpoint_is_a_new_start(
    tiny_config, monkeypatch, capsys
):
    folder = Path(tiny_config.workdir) / "checkpoints"
    (folder / "step-0_temp").mkdir(parents=True)
    (folder / "step-0.index").write_bytes(b"half")
    with_fake_step(monkeypatch, lambda number: fake_losses())
    train(dataclasses.replace(tiny_config, num_steps=1))
    assert "Starting a new run" in capsys.readouterr().out
    assert not list(folder.glob("*_temp"))


def test_a_full_disk_at_the_second_start_of_an_untrained_run(tiny_config, monkeypatch):
    """The first was stopped before it saved a step. The checkpoint of step 0 is written again."""
    config = dataclasses.replace(tiny_config, num_steps=1)
    with_fake_step(monkeypatch, lambda number: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config)
    workdir = Path(config.workdir)
    assert complete_steps(workdir / "checkpoints") == [0] and (workdir / "config.cfg").exists()
    with monkeypatch.context() as full:
        full.setattr(checkpoints, "write_manifest", _failing_save)
        with pytest.raises(CheckpointError, match=r"Nothing was trained yet\. Free some space"):
            train(config)
    assert complete_steps(workdir / "checkpoints") == []
    with_fake_step(monkeypatch, lambda number: fake_losses())
    assert train(config).step == 1


def test_best_checkpoints_of_a_run_that_was_never_saved_are_removed(tiny_config, monkeypatch):
    """Step 1 is evaluated and not saved, and step 2 breaks."""
    config = dataclasses.replace(
        tiny_config, num_steps=2, evaluate_every_steps=1, save_every_steps=2, sample_every_steps=2
    )
    best = Path(config.workdir) / "best" / "best.json"
    with_fake_step(monkeypatch, lambda number: fake_losses() if number == 1 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config)
    assert json.loads(best.read_text())["mean"]["step"] == 1
    monkeypatch.setattr(loop, "create_train_loop", lambda *arguments: lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config)
    assert not best.exists()


def test_an_error_of_an_evaluation_is_no_write_error(tiny_config, monkeypatch, capsys):
    def fail(self):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    with_fake_step(monkeypatch, lambda number: fake_losses())
    monkeypatch.setattr("discogan_tf.training.evaluator.Evaluator.measure", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        train(dataclasses.replace(tiny_config, num_steps=1))
    assert "Free some space" not in capsys.readouterr().out
    assert complete_steps(Path(tiny_config.workdir) / "checkpoints") == [1, 0]


def test_a_corrupt_checkpoint_is_reported_and_the_one_before_it_used(
    tiny_config, monkeypatch, capsys
):
    """Each file of the newest in turn, truncated; and the largest with a bit flipped."""
    with_fake_step(monkeypatch, lambda number: fake_losses())
    config = dataclasses.replace(tiny_config, num_steps=4, keep_checkpoints=9, ema_decay=0.0)
    train(config)
    folder = Path(config.workdir) / "checkpoints"
    files = sorted(folder.glob("step-4.*"), key=lambda path: path.stat().st_size)
    intact = {path: path.read_bytes() for path in files}
    flipped = bytearray(intact[files[-1]])
    flipped[len(flipped) // 2] ^= 8
    corrupted = [(path, data[: len(data) // 2]) for path, data in intact.items()]
    for path, data in [*corrupted, (files[-1], bytes(flipped))]:
        path.write_bytes(data)
        assert last_checkpoint(folder).endswith("step-2")
        assert (
            "The checkpoint of step 4" in (said := capsys.readouterr().out)
            and "is corrupt: " in said
        )
        path.write_bytes(intact[path])
    assert last_checkpoint(folder).endswith("step-4")
    files[-1].write_bytes(bytes(flipped))
    train(dataclasses.replace(config, num_steps=5))
    assert "from its checkpoint of step 2" in capsys.readouterr().out
    assert [line["step"] for line in logged_losses(config.workdir)] == [1, 2, 3, 4, 5]
    for path in folder.glob("step-*.index"):
        path.write_bytes(b"corrupt")
    with pytest.raises(CheckpointError, match=r"all \d checkpoints .* are corrupt"):
        train(dataclasses.replace(config, num_steps=6))


def test_tensorboard_has_each_step_once_after_a_crash(tiny_config, monkeypatch):
    """The last checkpoint is lost and the last event cut off: the steps before repeat."""
    with_fake_step(monkeypatch, lambda number: fake_losses())
    config = dataclasses.replace(
        tiny_config, num_steps=4, keep_checkpoints=9, evaluate_every_steps=100
    )
    train(config)
    for path in (Path(config.workdir) / "checkpoints").glob("step-4.*"):
        path.unlink()
    (events,) = (Path(config.workdir) / "logs").iterdir()
    events.write_bytes(events.read_bytes()[:-5])
    train(dataclasses.replace(config, num_steps=5))
    tags = tensorboard_tags(config.workdir)
    assert tags["losses/generator_total"] == [1, 2, 3, 4, 5] and tags["samples"] == [2, 4, 5]


def test_a_second_process_is_refused_and_names_the_first(tiny_config):
    with (
        WorkdirLock(Path(tiny_config.workdir)),
        pytest.raises(ConfigError, match=f"process {os.getpid()} on"),
    ):
        train(tiny_config)
    with pytest.raises(ConfigError, match="cannot be written"):
        train(dataclasses.replace(tiny_config, workdir="/proc/run"))


def test_other_images_under_an_old_run_are_refused(tiny_config, tmp_path, monkeypatch, capsys):
    with_fake_step(monkeypatch, lambda number: fake_losses())
    data_dir = tmp_path / "data"
    shutil.copytree(tiny_config.data_dir, data_dir)
    config = dataclasses.replace(tiny_config, data_dir=str(data_dir), num_steps=2)
    train(config)
    (note,) = data_dir.glob("sample_edges2shoes/photo/32px/*/preparation.json")
    note.write_text(note.read_text().replace('"train": "', '"train": "0', 1))
    config = dataclasses.replace(config, num_steps=3)
    with pytest.raises(
        DataError, match=r"sample_edges2shoes/photo are not those.*--allow_changed_data"
    ):
        train(config)
    train(dataclasses.replace(config, allow_changed_data=True))
    lines = [
        json.loads(line)
        for line in (Path(config.workdir) / "provenance.jsonl").read_text().splitlines()
    ]
    assert [line["first_step"] for line in lines] == [0, 2]
    assert (
        lines[0]["config"]["batch_size"] == 4
        and lines[0]["packages"]["tensorflow"] == tf.__version__
    )


def test_a_full_disk_is_reported_and_training_continues_and_saves_later(
    tiny_config, monkeypatch, capsys
):
    """No file may exceed a few kilobytes during steps 1 to 3: their checkpoint fails."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_step(number):
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (200_000 if number < 4 else unlimited[0], unlimited[1])
        )
        return fake_losses()

    with_fake_step(monkeypatch, on_step)
    try:
        train(tiny_config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    said = capsys.readouterr().out
    assert "Could not save the checkpoint at step 2: " in said
    assert "Training continues and retries at step 4. Free some space." in said
    assert complete_steps(Path(tiny_config.workdir) / "checkpoints") == [4, 0]
    monkeypatch.setattr(Checkpoints, "save", _failing_save)
    with pytest.raises(CheckpointError, match="run the same command to resume"):
        train(dataclasses.replace(tiny_config, num_steps=5))


def _failing_save(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_rollback_leaves_the_bad_batch_out_and_gives_up_after_a_few(
    tiny_config, monkeypatch, capsys
):
    """Step 3 breaks: back to 2, then 4 without 3. Then every step breaks."""
    seen = []

    def on_step(number):
        seen.append(number)
        # The third call is step 3; after the rollback the fourth call is step 4.
        return fake_losses(gradient_norm_generator_a_to_b=float("inf") if number == 3 else 1.0)

    with_fake_step(monkeypatch, on_step)
    config = dataclasses.replace(tiny_config, on_nonfinite="rollback")
    train(config)
    out = capsys.readouterr().out
    assert (
        "Rolled back (1 of at most 3 times): at step 3" in out
        and "gradient_norm_generator_a_to_b" in out
    )
    assert "from the checkpoint of step 2, without the batch of step 3" in out
    assert seen == [1, 2, 3, 4] and [line["step"] for line in logged_losses(config.workdir)] == [
        1,
        2,
        4,
    ]
    assert json.loads((Path(config.workdir) / "skipped_steps.json").read_text()) == [3]
    with_fake_step(monkeypatch, lambda number: fake_losses(generator_total=float("nan")))
    with pytest.raises(NonFiniteLossError, match="at step 8") as raised:
        train(dataclasses.replace(config, num_steps=20))
    assert "in a new --workdir" in str(raised.value) and "rollback" not in str(raised.value)
    # Without 5 and 6 it came as far as 6, whose weights are those of 4.
    assert complete_steps(Path(config.workdir) / "checkpoints")[0] == 6


def test_losses_are_not_logged_for_a_step_that_was_left_out(tiny_config, monkeypatch):
    """Step 4 breaks; after the rollback 3 is taken again and 4 left out."""
    values = iter([1.0, 2.0, 3.0, float("nan"), 3.0, 5.0])
    with_fake_step(monkeypatch, lambda number: fake_losses(generator_total=next(values)))
    train(dataclasses.replace(tiny_config, num_steps=5, on_nonfinite="rollback"))
    lines = logged_losses(tiny_config.workdir)
    assert [(line["step"], line["generator_total"]) for line in lines] == [
        (1, 1), (2, 2), (3, 3), (5, 5),
    ]  # fmt: skip


@pytest.mark.slow
def test_what_a_rollback_left_out_is_forgotten_with_other_settings(tiny_config, monkeypatch):
    """Step 1 was left out, and then the run was killed before it saved anything."""
    with_fake_step(monkeypatch, lambda number: fake_losses())
    config = dataclasses.replace(tiny_config, num_steps=1, evaluate_every_steps=100)
    train(config)
    for file in (Path(config.workdir) / "checkpoints").glob("step-1.*"):
        file.unlink()
    skipped = Path(config.workdir) / "skipped_steps.json"
    skipped.write_text("[1]")
    train(config)
    assert json.loads(skipped.read_text()) == [1]
    for file in (Path(config.workdir) / "checkpoints").glob("step-1.*"):
        file.unlink()
    train(dataclasses.replace(config, learning_rate=1e-3))
    assert json.loads(skipped.read_text()) == []


def test_weights_that_are_not_finite_are_not_saved(tiny_config, monkeypatch):
    """The update of the saved step broke them; its losses, from before, show nothing."""
    models = []

    def remembered(*arguments):
        models.append(create_model(*arguments))
        return models[-1]

    def on_step(number):
        if number == 4:
            models[0].generators["a_to_b"].to_image.bias.assign([0.0, np.nan, 0.0])
        return fake_losses()

    monkeypatch.setattr(loop, "create_model", remembered)
    with_fake_step(monkeypatch, on_step)
    with pytest.raises(NonFiniteLossError, match="after step 4 weights of generator_a_to_b"):
        train(tiny_config)
    assert complete_steps(Path(tiny_config.workdir) / "checkpoints") == [2, 0]


def test_a_start_that_failed_does_not_lock_the_workdir(tiny_config, monkeypatch):
    with pytest.raises(ConfigError, match="discogan"):
        train(dataclasses.replace(tiny_config, model="typo"))
    with_fake_step(monkeypatch, lambda number: fake_losses(generator_total=float("inf")))
    with pytest.raises(NonFiniteLossError):
        train(tiny_config)
    with_fake_step(monkeypatch, lambda number: fake_losses())
    train(dataclasses.replace(tiny_config, batch_size=2, num_steps=1))


def test_a_non_finite_loss_stops_the_run_and_is_named(tiny_config, monkeypatch):
    def on_step(number):
        return fake_losses(reconstruction_a=float("nan")) if number == 3 else fake_losses()

    with_fake_step(monkeypatch, on_step)
    config = dataclasses.replace(tiny_config, log_every_steps=4)
    with pytest.raises(NonFiniteLossError, match=r"at step 3 .*reconstruction_a"):
        train(config)
    assert complete_steps(Path(config.workdir) / "checkpoints") == [2, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(tiny_config, monkeypatch, capsys, number):
    def on_step(step):
        if step == 3:
            os.kill(os.getpid(), number)
        return fake_losses()

    with_fake_step(monkeypatch, on_step)
    before = signal.getsignal(number)
    config = dataclasses.replace(tiny_config, num_steps=1000, save_every_steps=1000)
    assert train(config) == (3, number)
    assert "Stopped and saved at step 3 of 1000" in capsys.readouterr().out
    assert (Path(config.workdir) / "checkpoints" / "step-3.index").exists()
    assert signal.getsignal(number) == before


def test_a_signal_is_announced_and_a_second_one_says_what_it_loses():
    # SIGTERM, because SIGINT is ignored by what runs in the background of a script.
    code = """
import os, signal, time
from discogan_tf.training.signals import StopSignals
with StopSignals() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.signal == signal.SIGTERM
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGTERM
    first, second = done.stderr.strip().split("\n\n")
    assert "then saving. A second time ends without saving" in first
    assert "Ended without saving: the run resumes from its last checkpoint" in second
