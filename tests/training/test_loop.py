"""Whole runs: what they leave, how they resume, how they refuse and how they stop."""

import dataclasses
import json
import os
import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.prepare import prepare_archive
from data_prep.sample.archive import draw_archives
from discogan_tf.checkpoints import Checkpoints, last_checkpoint, restore_generators
from discogan_tf.data.domains import load_domain
from discogan_tf.errors import CheckpointError, ConfigError, DataError, NonFiniteLossError
from discogan_tf.models import create_model
from discogan_tf.sealed import sealed_steps
from discogan_tf.training import loop, precision
from discogan_tf.training.calls import Reported
from discogan_tf.training.lock import WorkdirLock
from discogan_tf.training.loop import train
from discogan_tf.training.sheets import SampleSheets
from discogan_tf.training.workdir import read_config

pytestmark = pytest.mark.usefixtures("small_networks")


def _logged(workdir):
    lines = (Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "generator_total" in line]


def _tags(workdir):
    """TensorBoard tag -> steps."""
    found = {}
    for path in sorted((Path(workdir) / "logs").iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


@pytest.fixture(scope="module")
def straight_workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "straight"


@pytest.fixture
def config(tiny_config, straight_workdir):
    return dataclasses.replace(tiny_config, workdir=str(straight_workdir), num_steps=5)


@pytest.fixture
def straight(config):
    """The folder of a run of five steps; trained once, then found complete."""
    train(config)
    return config.workdir


def test_a_run_leaves_what_it_should(straight, config):
    assert [line["step"] for line in _logged(straight)] == [1, 2, 3, 4, 5]
    assert sorted(path.name for path in (Path(straight) / "samples").iterdir()) == [
        "step_000002.png", "step_000004.png", "step_000005.png",
    ]  # fmt: skip
    sheet = np.asarray(Image.open(Path(straight) / "samples" / "step_000005.png"))
    assert sheet.shape[0] == 6 * (96 + 4) + 4
    names = sorted(path.name for path in (Path(straight) / "checkpoints").glob("*.index"))
    assert names == ["step-2.index", "step-4.index", "step-5.index"]
    assert read_config(Path(straight)) == config
    best = json.loads((Path(straight) / "best" / "best.json").read_text())
    assert set(best) == {"together", "handbags2shoes", "shoes2handbags"}
    assert all(entry["step"] == 5 and entry["score"] > 0 for entry in best.values())


def test_tensorboard_gets_curves_histograms_and_sheets(straight):
    tags = _tags(straight)
    eight = ["generator_total", "adversarial_a_to_b", "adversarial_b_to_a", "reconstruction_a",
             "reconstruction_b", "discriminator_total", "discriminator_a", "discriminator_b"]  # fmt: skip
    for name in eight:
        assert tags[f"losses/{name}"] == [1, 2, 3, 4, 5]
    assert tags["samples"] == [2, 4, 5]
    assert tags["metrics/sliced_wasserstein/handbags2shoes"] == [5]
    assert tags["generator_a_to_b/to_image/kernel"] == [2, 4, 5]
    assert len([tag for tag in tags if tag.startswith(("generator_", "discriminator_"))]) == 2 * 25 + 2 * 19


def test_a_finished_run_is_left_alone(straight, config, capsys):
    before = _logged(straight)
    assert train(config) is None
    assert "at step 5 already" in capsys.readouterr().out
    assert _logged(straight) == before


def test_other_settings_are_refused_by_name(straight, config):
    other = dataclasses.replace(config, batch_size=2, learning_rate=1e-3, save_every_steps=1)
    with pytest.raises(ConfigError) as error:
        train(other)
    assert "--batch_size: the run has 4, you asked for 2" in str(error.value)
    assert "--learning_rate" in str(error.value) and "save_every" not in str(error.value)


def test_auto_precision_keeps_to_what_the_run_decided(straight, config, monkeypatch):
    monkeypatch.setattr(precision, "resolve", lambda name: "bfloat16")  # As on other hardware.
    train(dataclasses.replace(config, precision="auto"))
    assert read_config(Path(straight)).precision == "float32"


def test_lost_checkpoints_are_no_fresh_start(tiny_config):
    config = dataclasses.replace(tiny_config, num_steps=1, save_every_steps=1)
    train(config)
    for path in (Path(config.workdir) / "checkpoints").glob("*.manifest"):
        path.unlink()
    with pytest.raises(CheckpointError, match="holds a run but no checkpoint"):
        train(dataclasses.replace(config, num_steps=2))


def test_a_crash_before_the_first_checkpoint_was_sealed_is_a_fresh_start(tiny_config, monkeypatch, capsys):
    folder = Path(tiny_config.workdir) / "checkpoints"
    (folder / "step-0_temp").mkdir(parents=True)
    (folder / "step-0.index").write_bytes(b"half")
    _with_fake_step(monkeypatch, lambda number: _losses())
    train(dataclasses.replace(tiny_config, num_steps=1))
    assert "Starting a new run" in capsys.readouterr().out
    assert not list(folder.glob("*_temp"))


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(tiny_config, monkeypatch, capsys):
    """Each file of the newest in turn, cut short; and the largest with a bit flipped."""
    _with_fake_step(monkeypatch, lambda number: _losses())
    config = dataclasses.replace(tiny_config, num_steps=4, keep_checkpoints=9, ema_decay=0.0)
    train(config)
    folder = Path(config.workdir) / "checkpoints"
    files = sorted(folder.glob("step-4.*"), key=lambda path: path.stat().st_size)
    whole = {path: path.read_bytes() for path in files}
    flipped = bytearray(whole[files[-1]])
    flipped[len(flipped) // 2] ^= 8
    damaged = [(path, data[: len(data) // 2]) for path, data in whole.items()]
    for path, data in [*damaged, (files[-1], bytes(flipped))]:
        path.write_bytes(data)
        assert last_checkpoint(folder).endswith("step-2")
        assert (
            "The checkpoint of step 4" in (said := capsys.readouterr().out)
            and "damaged and not used" in said
        )
        path.write_bytes(whole[path])
    assert last_checkpoint(folder).endswith("step-4")
    files[-1].write_bytes(bytes(flipped))
    train(dataclasses.replace(config, num_steps=5))
    assert "from its checkpoint of step 2" in capsys.readouterr().out
    assert [line["step"] for line in _logged(config.workdir)] == [1, 2, 3, 4, 5]
    for path in folder.glob("step-*.index"):
        path.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"none of the \d checkpoints .* is whole"):
        train(dataclasses.replace(config, num_steps=6))


def test_tensorboard_has_each_step_once_after_a_crash(tiny_config, monkeypatch):
    """The last checkpoint is lost and the last event cut off: the steps after the one before come again."""
    _with_fake_step(monkeypatch, lambda number: _losses())
    config = dataclasses.replace(tiny_config, num_steps=4, keep_checkpoints=9, evaluate_every_steps=100)
    train(config)
    for path in (Path(config.workdir) / "checkpoints").glob("step-4.*"):
        path.unlink()
    (events,) = (Path(config.workdir) / "logs").iterdir()
    events.write_bytes(events.read_bytes()[:-5])
    train(dataclasses.replace(config, num_steps=5))
    tags = _tags(config.workdir)
    assert tags["losses/generator_total"] == [1, 2, 3, 4, 5] and tags["samples"] == [2, 4, 5]


def test_a_second_process_is_refused_and_told_of_the_first(tiny_config):
    with (
        WorkdirLock(Path(tiny_config.workdir)),
        pytest.raises(ConfigError, match=f"process {os.getpid()} on"),
    ):
        train(tiny_config)
    with pytest.raises(ConfigError, match="cannot be written"):
        train(dataclasses.replace(tiny_config, workdir="/proc/run"))


def test_other_pictures_under_an_old_run_are_refused(tiny_config, tmp_path, monkeypatch, capsys):
    _with_fake_step(monkeypatch, lambda number: _losses())
    data_dir = tmp_path / "data"
    shutil.copytree(tiny_config.data_dir, data_dir)
    config = dataclasses.replace(tiny_config, data_dir=str(data_dir), num_steps=2)
    train(config)
    (note,) = data_dir.glob("sample_edges2shoes/photo/32px/*/preparation.json")
    note.write_text(note.read_text().replace('"train": "', '"train": "0', 1))
    config = dataclasses.replace(config, num_steps=3)
    with pytest.raises(DataError, match=r"sample_edges2shoes/photo are not those.*--allow_changed_data"):
        train(config)
    train(dataclasses.replace(config, allow_changed_data=True))
    lines = [
        json.loads(line) for line in (Path(config.workdir) / "provenance.jsonl").read_text().splitlines()
    ]
    assert [line["first_step"] for line in lines] == [0, 2]
    assert lines[0]["config"]["batch_size"] == 4 and lines[0]["packages"]["tensorflow"] == tf.__version__


def test_a_full_disk_is_told_and_training_goes_on_and_saves_later(tiny_config, monkeypatch, capsys):
    """No file may grow beyond a few kilobytes while steps 1 to 3 are trained: their checkpoint fails."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_step(number):
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000 if number < 4 else unlimited[0], unlimited[1]))
        return _losses()

    _with_fake_step(monkeypatch, on_step)
    try:
        train(tiny_config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert "step 2 could not be saved" in (said := capsys.readouterr().out) and "Training goes on" in said
    assert sealed_steps(Path(tiny_config.workdir) / "checkpoints") == [4, 0]
    monkeypatch.setattr(Checkpoints, "save", _failing_save)
    with pytest.raises(CheckpointError, match="the same command goes on"):
        train(dataclasses.replace(tiny_config, num_steps=5))


def _failing_save(self, step):
    raise OSError("No space left on device")


def test_rollback_leaves_the_bad_batch_out_and_gives_up_after_a_few(tiny_config, monkeypatch, capsys):
    """Step 3 breaks: back to 2, then 4 without 3. Then every step breaks."""
    seen = []

    def on_step(number):
        seen.append(number)
        # The third call is step 3; after the rollback the fourth call is step 4.
        return _losses(gradient_norm_generator_a_to_b=float("inf") if number == 3 else 1.0)

    _with_fake_step(monkeypatch, on_step)
    config = dataclasses.replace(tiny_config, on_nonfinite="rollback")
    train(config)
    out = capsys.readouterr().out
    assert (
        "Rolled back (1 of at most 3 times): at step 3" in out and "gradient_norm_generator_a_to_b" in out
    )
    assert "from the checkpoint of step 2, without the batch of step 3" in out
    assert seen == [1, 2, 3, 4] and [line["step"] for line in _logged(config.workdir)] == [1, 2, 4]
    assert json.loads((Path(config.workdir) / "skipped_steps.json").read_text()) == [3]
    _with_fake_step(monkeypatch, lambda number: _losses(generator_total=float("nan")))
    with pytest.raises(NonFiniteLossError, match="at step 8"):
        train(dataclasses.replace(config, num_steps=20))
    # Without 5 and 6 it came as far as 6, whose weights are those of 4.
    assert sealed_steps(Path(config.workdir) / "checkpoints")[0] == 6


def test_checkpoints_hold_statistics_of_training_pictures(straight, config):
    """Recomputed for the weights that were saved: what a fresh computation gives."""
    model = create_model(config, tf.float32)
    restore_generators(Path(straight), model)
    saved = [v.numpy() for n in model.generators.values() for v in n.non_trainable_variables]
    assert len(saved) == 2 * 2 * 7 and not any(np.array_equal(v, np.ones_like(v)) for v in saved)
    training = {
        domain: load_domain(config.data_dir, name, "train", config.image_size).images[:]
        for domain, name in (("a", config.domain_a), ("b", config.domain_b))
    }
    SampleSheets(model, config, training, training).recompute_statistics()
    again = [v.numpy() for n in model.generators.values() for v in n.non_trainable_variables]
    for ours, theirs in zip(saved, again, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_what_a_rollback_left_out_is_forgotten_with_other_settings(tiny_config, monkeypatch):
    """Step 1 was left out, and then the run was killed: it had not got anywhere yet."""
    _with_fake_step(monkeypatch, lambda number: _losses())
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
        return _losses()

    monkeypatch.setattr(loop, "create_model", remembered)
    _with_fake_step(monkeypatch, on_step)
    with pytest.raises(NonFiniteLossError, match="after step 4 weights of generator_a_to_b"):
        train(tiny_config)
    assert sealed_steps(Path(tiny_config.workdir) / "checkpoints") == [2, 0]


def test_without_validation_pictures_the_sheets_show_training_ones(
    tiny_config, tmp_path, monkeypatch, capsys
):
    for archive in draw_archives(tmp_path, num_train=3, num_val=0):
        prepare_archive(archive, tmp_path, image_size=32)
    _with_fake_step(monkeypatch, lambda number: _losses())
    train(dataclasses.replace(tiny_config, data_dir=str(tmp_path), num_steps=1))
    assert "Sheets and metrics use training pictures" in capsys.readouterr().out


def test_a_start_that_failed_does_not_lock_the_workdir(tiny_config, monkeypatch):
    with pytest.raises(ConfigError, match="discogan"):
        train(dataclasses.replace(tiny_config, model="typo"))
    _with_fake_step(monkeypatch, lambda number: _losses(generator_total=float("inf")))
    with pytest.raises(NonFiniteLossError):
        train(tiny_config)
    _with_fake_step(monkeypatch, lambda number: _losses())
    train(dataclasses.replace(tiny_config, batch_size=2, num_steps=1))


def test_float16_is_for_one_device(tiny_config):
    with pytest.raises(ConfigError, match="one device only"):
        train(dataclasses.replace(tiny_config, precision="float16", distribute="mirrored"))


def test_missing_data_leaves_no_workdir(tiny_config):
    with pytest.raises(DataError, match="make quickstart"):
        train(dataclasses.replace(tiny_config, domain_a="edges2boots/photo"))
    assert not Path(tiny_config.workdir).exists()


def test_calls_end_where_something_is_due_and_go_round_what_is_left_out(tiny_config, monkeypatch):
    _with_fake_step(monkeypatch, lambda number: _losses())
    config = dataclasses.replace(
        tiny_config, num_steps=1, steps_per_call=4, log_every_steps=10, sample_every_steps=10,
        save_every_steps=10,
    )  # fmt: skip
    train(config)
    (Path(config.workdir) / "skipped_steps.json").write_text("[4, 5]")
    calls = _with_fake_step(monkeypatch, lambda number: _losses())
    train(dataclasses.replace(config, num_steps=13))
    assert calls == [(2, 2), (6, 4), (10, 1), (11, 3)]


def _with_fake_step(monkeypatch, on_step):
    """Replaces the training steps by ones whose losses `on_step(number)` gives.

    Returns:
      The list of calls to come: first step, number of steps.
    """
    numbers, called = iter(range(1, 1000)), []

    def calls(elements, first_step, count):
        called.append((first_step, count))
        losses = [on_step(next(numbers)) for _ in range(count)]
        return Reported(first_step, list(losses[0]), tf.stack([list(loss.values()) for loss in losses]))

    monkeypatch.setattr(loop, "create_calls", lambda *arguments: calls)
    return called


def _losses(**changed):
    names = ("generator_total", "discriminator_total", "reconstruction_a", "discriminator_a_real",
             "discriminator_a_fake")  # fmt: skip
    return {name: tf.constant(0.5) for name in names} | {
        name: tf.constant(value) for name, value in changed.items()
    }


def test_a_non_finite_loss_stops_the_run_and_is_named(tiny_config, monkeypatch):
    def on_step(number):
        return _losses(reconstruction_a=float("nan")) if number == 3 else _losses()

    _with_fake_step(monkeypatch, on_step)
    config = dataclasses.replace(tiny_config, log_every_steps=4)
    with pytest.raises(NonFiniteLossError, match=r"at step 3 .*reconstruction_a"):
        train(config)
    assert sealed_steps(Path(config.workdir) / "checkpoints") == [2, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(tiny_config, monkeypatch, capsys, number):
    def on_step(step):
        if step == 3:
            os.kill(os.getpid(), number)
        return _losses()

    _with_fake_step(monkeypatch, on_step)
    before = signal.getsignal(number)
    config = dataclasses.replace(tiny_config, num_steps=1000, save_every_steps=1000)
    assert train(config) == number
    assert "Stopped and saved at step 3 of 1000" in capsys.readouterr().out
    assert (Path(config.workdir) / "checkpoints" / "step-3.index").exists()
    assert signal.getsignal(number) == before


@pytest.mark.slow
def test_mirrored_run_is_near_a_run_on_one_device(tiny_config):
    one = dataclasses.replace(tiny_config, num_steps=2)
    two = dataclasses.replace(one, workdir=one.workdir + "_mirrored", distribute="mirrored")
    train(one)
    train(two)
    for ours, theirs in zip(_logged(one.workdir), _logged(two.workdir), strict=True):
        for name in ours:
            # Of gradients each replica reports the norm of its own part.
            if not name.startswith("gradient_norm"):
                assert theirs[name] == pytest.approx(ours[name], rel=0.02), name
