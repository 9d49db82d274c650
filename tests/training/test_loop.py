"""Whole runs: what they leave, how they resume, how they refuse and how they stop."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.prepare import prepare_archive
from data_prep.sample.archive import draw_archives
from discogan_tf.checkpoints import restore_generators
from discogan_tf.data.domains import load_domain
from discogan_tf.errors import CheckpointError, ConfigError, DataError, NonFiniteLossError
from discogan_tf.models import create_model
from discogan_tf.training import loop, precision
from discogan_tf.training.loop import train
from discogan_tf.training.sheets import SampleSheets
from discogan_tf.training.workdir import read_config


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


def test_lost_list_of_checkpoints_is_no_fresh_start(tiny_config):
    config = dataclasses.replace(tiny_config, num_steps=1, save_every_steps=1)
    train(config)
    (Path(config.workdir) / "checkpoints" / "checkpoint").write_text("garbage")
    with pytest.raises(CheckpointError, match="start anew"):
        train(dataclasses.replace(config, num_steps=2))


def test_a_first_save_cut_short_before_its_listing_still_resumes(tiny_config, capsys):
    config = dataclasses.replace(tiny_config, num_steps=1)
    train(config)
    (Path(config.workdir) / "checkpoints" / "checkpoint").unlink()
    train(dataclasses.replace(config, num_steps=2))
    assert "from its checkpoint of step 1" in capsys.readouterr().out


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
    names = [path.name for path in (Path(tiny_config.workdir) / "checkpoints").glob("*.index")]
    assert names == ["step-2.index"]


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


def _with_fake_step(monkeypatch, on_step):
    """Replaces the training step by one whose losses `on_step(number)` gives."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(loop, "create_step", lambda *arguments: lambda batch: on_step(next(numbers)))


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
    checkpoints = Path(config.workdir) / "checkpoints"
    assert [path.name for path in checkpoints.glob("*.index")] == ["step-2.index"]


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
            assert theirs[name] == pytest.approx(ours[name], rel=0.02), name
