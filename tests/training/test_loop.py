"""Complete runs: what they write, how they resume, what they refuse."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.prepare import prepare_archive
from data_prep.sample.archive import draw_archives
from discogan_tf.data.domains import load_domain
from discogan_tf.errors import ConfigError, DataError
from discogan_tf.models import create_model
from discogan_tf.runs import console, workdir
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.workdir import read_config
from discogan_tf.training.loop import train
from discogan_tf.training.samples import SampleGrids
from tests.training.fakes import (
    fake_losses,
    logged_losses,
    tensorboard_tags,
    with_fake_metrics,
    with_fake_step,
)

# In one process, which trains `straight` once.
pytestmark = pytest.mark.xdist_group("loop")


@pytest.fixture(scope="module")
def straight_workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "straight"


@pytest.fixture
def config(tiny_config, straight_workdir):
    return dataclasses.replace(tiny_config, workdir=str(straight_workdir), num_steps=5)


@pytest.fixture
def straight(config):
    """The folder of a run of five steps; trained once, then found finished."""
    train(config)
    return config.workdir


def test_a_run_leaves_what_it_should(straight, config):
    assert [line["step"] for line in logged_losses(straight)] == [1, 2, 3, 4, 5]
    assert sorted(path.name for path in (Path(straight) / "samples").iterdir()) == [
        "step_000002.png", "step_000004.png", "step_000005.png",
    ]  # fmt: skip
    grid = np.asarray(Image.open(Path(straight) / "samples" / "step_000005.png"))
    assert grid.shape[0] == 6 * (96 + 4) + 4
    names = sorted(path.name for path in (Path(straight) / "checkpoints").glob("*.index"))
    assert names == ["step-4.index", "step-5.index"]  # --keep_checkpoints=2
    assert read_config(Path(straight)) == config
    best = json.loads((Path(straight) / "best" / "best.json").read_text())
    assert set(best) == {"mean", "handbags2shoes", "shoes2handbags"}
    assert all(entry["step"] == 5 and entry["score"] > 0 for entry in best.values())


def test_tensorboard_gets_curves_histograms_and_sample_grids(straight):
    tags = tensorboard_tags(straight)
    eight = [
        "generator_total",
        "adversarial_a_to_b",
        "adversarial_b_to_a",
        "reconstruction_a",
        "reconstruction_b",
        "discriminator_total",
        "discriminator_a",
        "discriminator_b",
    ]
    for name in eight:
        assert tags[f"losses/{name}"] == [1, 2, 3, 4, 5]
    assert tags["samples"] == [2, 4, 5]
    assert tags["metrics/sliced_wasserstein/handbags2shoes"] == [5]
    assert tags["weights/generator_a_to_b/to_image/kernel"] == [2, 4, 5]
    assert len([tag for tag in tags if tag.startswith("weights/")]) == 2 * 25 + 2 * 14
    assert max(tags) < "weights0"  # TensorBoard lists them last.


def test_a_finished_run_is_left_alone(straight, config, capsys):
    before = logged_losses(straight)
    assert train(config) == (5, None)
    assert "already at step 5" in capsys.readouterr().out
    assert logged_losses(straight) == before


def test_other_settings_are_refused_by_name(straight, config):
    other = dataclasses.replace(config, batch_size=2, learning_rate=1e-3, save_every_steps=1)
    with pytest.raises(ConfigError) as error:
        train(other)
    assert "--batch_size: the run has 4, you requested 2" in str(error.value)
    assert "--learning_rate" in str(error.value) and "save_every" not in str(error.value)


def test_auto_precision_stays_as_the_run_resolved_it(straight, config, monkeypatch):
    monkeypatch.setattr(
        workdir, "resolve_precision", lambda name: "bfloat16"
    )  # As on other hardware.
    train(dataclasses.replace(config, precision="auto"))
    assert read_config(Path(straight)).precision == "float32"


def test_checkpoints_hold_statistics_of_training_images(straight, config):
    """Estimated for the weights that were saved: a second estimate gives the same."""
    model = create_model(config, tf.float32)
    restore_generators(Path(straight), model)
    statistics = [
        variable
        for network in model.generators.values()
        for variable in network.non_trainable_variables
        if variable.path.endswith(("/mean", "/variance"))
    ]
    saved = [variable.numpy() for variable in statistics]
    assert len(saved) == 2 * 2 * 7 and not any(np.array_equal(v, np.ones_like(v)) for v in saved)
    training = {
        stream: load_domain(config.data_dir, name, "train", config.image_size).images[:]
        for stream, name in config.domains.items()
    }
    for variable in statistics:
        variable.assign(variable + 1.0)
    SampleGrids(model, config, training, training, is_average=True).reestimate_statistics()
    again = [variable.numpy() for variable in statistics]
    for ours, theirs in zip(saved, again, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_without_validation_images_the_sample_grids_show_training_ones(
    tiny_config, tmp_path, monkeypatch, capsys
):
    for archive in draw_archives(tmp_path, num_train=3, num_val=0):
        prepare_archive(archive, tmp_path, image_size=32)
    with_fake_step(monkeypatch, lambda number: fake_losses())
    config = dataclasses.replace(tiny_config, model="gan", data_dir=str(tmp_path), num_steps=1)
    train(dataclasses.replace(config, batch_size=2))
    assert "Sample grids and metrics use training images" in capsys.readouterr().out


def test_float16_is_for_one_device(tiny_config):
    with pytest.raises(ConfigError, match="one device only"):
        train(dataclasses.replace(tiny_config, precision="float16", distribute="mirrored"))


def test_auto_precision_of_a_float16_run_is_for_one_device(tiny_config, monkeypatch):
    with_fake_step(monkeypatch, lambda number: fake_losses())
    config = dataclasses.replace(tiny_config, num_steps=1, precision="float16")
    train(config)
    with pytest.raises(ConfigError, match="one device only"):
        train(dataclasses.replace(config, precision="auto", distribute="mirrored"))


def test_missing_data_leaves_no_workdir(tiny_config):
    with pytest.raises(DataError, match="make quickstart"):
        train(dataclasses.replace(tiny_config, domain_a="edges2boots/photo"))
    assert not Path(tiny_config.workdir).exists()


def test_calls_end_where_something_is_due_and_before_skipped_steps(tiny_config, monkeypatch):
    with_fake_step(monkeypatch, lambda number: fake_losses())
    with_fake_metrics(monkeypatch)
    config = dataclasses.replace(
        tiny_config, model="gan", num_steps=1, steps_per_execution=4, log_every_steps=10,
        sample_every_steps=10, save_every_steps=10,
    )  # fmt: skip
    train(config)
    (Path(config.workdir) / "skipped_steps.json").write_text("[4, 5]")
    calls = with_fake_step(monkeypatch, lambda number: fake_losses())
    train(dataclasses.replace(config, num_steps=13))
    assert calls == [(2, 2), (6, 4), (10, 1), (11, 3)]


@pytest.mark.slow
def test_mirrored_run_is_near_a_run_on_one_device(tiny_config):
    one = dataclasses.replace(tiny_config, num_steps=2)
    two = dataclasses.replace(one, workdir=one.workdir + "_mirrored", distribute="mirrored")
    train(one)
    train(two)
    for ours, theirs in zip(logged_losses(one.workdir), logged_losses(two.workdir), strict=True):
        for name in ours:
            # Of gradients each replica reports the norm of its own part.
            if not name.startswith("gradient_norm"):
                assert theirs[name] == pytest.approx(ours[name], rel=0.02), name


def test_the_time_left_is_estimated_once_and_without_the_first_call(capsys, monkeypatch):
    # Read after the first call, of 2 steps, which compiles, and 20 steps later.
    clock = iter([100.0, 105.0])
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with console.Progress(0, 1222, 32, visible=True) as progress:
        for _ in range(30):
            progress.advance(2)
    printed = capsys.readouterr().out
    assert "250 ms per step: about 5 minute(s) for the other 1,200 steps" in printed
    assert printed.count("per step") == 1
