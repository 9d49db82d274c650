"""Files of a run that cannot be written or read: no training is lost, and the message is right."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from discogan_tf.errors import CheckpointError, DataError, NonFiniteLossError
from discogan_tf.runs import provenance
from discogan_tf.runs.checkpoints import BestCheckpoints, Checkpoints
from discogan_tf.runs.manifest import complete_steps
from discogan_tf.runs.metrics_log import MetricsLog
from discogan_tf.runs.workdir import read_config
from discogan_tf.training.loop import train
from tests.training.fakes import fake_losses, with_fake_metrics, with_fake_step


@pytest.fixture
def config(tiny_config, monkeypatch):
    """Of the smallest model, whose steps and metrics are computed by nothing."""
    with_fake_metrics(monkeypatch)
    with_fake_step(monkeypatch, lambda number: fake_losses())
    return dataclasses.replace(tiny_config, model="gan")


def _saved(config):
    return complete_steps(Path(config.workdir) / "checkpoints")


def test_a_log_that_cannot_be_written_costs_no_checkpoint(config, monkeypatch, capsys):
    def fail(*arguments):
        raise FileNotFoundError("samples")

    monkeypatch.setattr(MetricsLog, "write_sample_grid", fail)
    with pytest.raises(CheckpointError, match=r"complete\. Run the same command"):
        train(config)
    assert _saved(config) == [4, 2]
    printed = capsys.readouterr().out
    assert "Could not write to the workdir at step 2: samples. Training continues" in printed
    assert "Free some space" not in printed


def test_a_folder_of_samples_that_was_removed_is_made_again(config, monkeypatch):
    samples = Path(config.workdir) / "samples"

    def on_step(number):
        if number == 3:
            shutil.rmtree(samples)
        return fake_losses()

    with_fake_step(monkeypatch, on_step)
    train(config)
    assert [path.name for path in samples.iterdir()] == ["step_000004.png"]


def test_a_run_that_stops_because_it_is_worse_has_saved_that_step(config, monkeypatch):
    """Although the save that was due failed."""
    scores = iter([50.0, 90.0, 90.0])
    monkeypatch.setattr(
        "discogan_tf.training.evaluator.Evaluator.measure",
        lambda self: {
            "handbags2shoes": {"score": next(scores), "diversity": 0.9, "saturated": 0.0}
        },
    )
    save, failed = Checkpoints.save, []

    def save_at_the_second_try(self, step):
        if step == 3 and not failed:
            failed.append(step)
            raise OSError(28, "No space left on device")
        return save(self, step)

    monkeypatch.setattr(Checkpoints, "save", save_at_the_second_try)
    settings = {"evaluate_every_steps": 1, "save_every_steps": 1, "stop_when_worse": True}
    assert train(dataclasses.replace(config, **settings)).step == 3
    assert failed == [3] and _saved(config)[0] == 3


def test_an_evaluation_after_a_crash_tolerates_a_full_disk(config, monkeypatch, capsys):
    def fail(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(BestCheckpoints, "update", fail)
    config = dataclasses.replace(config, evaluate_every_steps=2)
    with_fake_step(monkeypatch, lambda number: fake_losses() if number < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config)
    with_fake_step(monkeypatch, lambda number: fake_losses())
    capsys.readouterr()
    for _ in range(2):  # Also when no step is left.
        with pytest.raises(CheckpointError, match="Free some space, then run the same command"):
            train(config)
    assert "Could not write to the workdir at step 2" in capsys.readouterr().out
    assert _saved(config) == [4, 2]


def test_a_start_that_trains_nothing_leaves_the_settings(config, tmp_path):
    train(config)
    recorded = read_config(Path(config.workdir))
    other = shutil.copytree(config.data_dir, tmp_path / "other")
    for file in other.glob("*/*/*/*/preparation.json"):
        preparation = json.loads(file.read_text())
        preparation["fingerprints"]["train"] = "other"
        file.write_text(json.dumps(preparation))
    with pytest.raises(DataError, match="not those that the run"):
        train(dataclasses.replace(config, num_steps=5, data_dir=str(other)))
    train(dataclasses.replace(config, num_steps=2))  # Fewer than it has.
    assert read_config(Path(config.workdir)) == recorded


def test_a_line_of_provenance_that_was_cut_off_costs_no_other(config):
    train(dataclasses.replace(config, num_steps=1))
    path = Path(config.workdir) / "provenance.jsonl"
    path.write_text(path.read_text() + '{"started": "20')
    train(dataclasses.replace(config, num_steps=2))
    lines = path.read_text().splitlines()
    assert [json.loads(line)["first_step"] for line in lines] == [0, 1]
    assert provenance.read_fits(Path(config.workdir)) == {"a": "pad", "b": "pad"}


def test_an_error_is_not_hidden_by_one_of_closing_the_log(config):
    Path(config.workdir).mkdir()
    with pytest.raises(NonFiniteLossError), MetricsLog(config, 0) as log:
        log._file = Path("/dev/full").open("a")  # noqa: SIM115 - its buffer keeps what is written.
        with pytest.raises(OSError, match="No space left"):
            log.write_losses(1, {"generator_total": 1.0})
        raise NonFiniteLossError("at step 1", 1)
