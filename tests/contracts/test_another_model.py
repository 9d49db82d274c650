"""A model of another kind needs one file and one entry to be trained, evaluated and exported."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from discogan_tf.data.domains import load_domain
from discogan_tf.errors import ConfigError
from discogan_tf.evaluation import efficientnet_lite
from discogan_tf.evaluation.evaluated_run import load_evaluated_run, measure
from discogan_tf.export import c_api, golden
from discogan_tf.export.bundle import export
from discogan_tf.export.versions import Version
from discogan_tf.models import MODELS, create_inference_model, create_model
from discogan_tf.report import report
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.metrics_log import METRICS, read_metrics_log
from discogan_tf.training.loop import train
from discogan_tf.training.step import create_optimizers, create_step
from discogan_tf.translate import translate
from tests.contracts.label_gan import LabelGAN


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(MODELS, "label_gan", LabelGAN)  # The one entry.


@pytest.fixture
def config(tiny_config):
    return dataclasses.replace(
        tiny_config, model="label_gan", adversarial_loss="least_squares", ema_decay=0.9,
        save_every_steps=2, evaluate_every_steps=2,
    )  # fmt: skip


def test_it_trains_and_resumes_bit_for_bit_with_its_state(config, tmp_path, checkpoint_state):
    train(config)
    other = dataclasses.replace(config, workdir=str(tmp_path / "resumed"))
    train(dataclasses.replace(other, num_steps=2))
    train(other)
    expected, found = (checkpoint_state(c.workdir, 4) for c in (config, other))
    assert found == expected
    (state,) = [name for name in expected if name.startswith("state/earlier_fakes")]
    assert expected[state] != checkpoint_state(config.workdir, 2)[state]
    logs = [Path(c.workdir, "metrics.jsonl").read_text() for c in (config, other)]
    assert logs[0] == logs[1] and "adversarial_generate" in logs[0]
    grid = np.asarray(Image.open(Path(config.workdir, "samples/step_000004.png")))
    assert grid.shape[0] == 2 * (96 + 4) + 4  # Real shoes, and generated ones.


@pytest.mark.slow
def test_without_its_state_it_would_not_resume_exactly(config, checkpoint_state, monkeypatch):
    train(dataclasses.replace(config, num_steps=2))
    before = checkpoint_state(config.workdir, 2)
    train(config)
    expected = checkpoint_state(config.workdir, 4)
    for path in Path(config.workdir, "checkpoints").glob("step-4.*"):
        path.unlink()
    assert checkpoint_state(config.workdir, 2) == before

    class Forgetful(LabelGAN):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.kept, self.state = self.state, {}

        def forward(self, batch, step):
            self.state = self.kept
            return super().forward(batch, step)

    monkeypatch.setitem(MODELS, "label_gan", Forgetful)
    train(config)
    generators = {name for name in expected if name.startswith("discriminators/")}
    found = checkpoint_state(config.workdir, 4)
    assert any(found[name] != expected[name] for name in generators)


def test_what_applies_is_measured_exported_and_reported(config, tmp_path):
    train(config)
    run = load_evaluated_run(config, "val", "last", 6)
    (direction,) = run.batches
    assert direction == "shoes" and run.batches[direction].inputs is None
    found = measure(run, 0)["directions"]["shoes"]
    on_features = {name for name in found if name.endswith("_lite0")}
    assert len(on_features) == (2 if efficientnet_lite.weights_file() else 0)
    assert found.keys() - on_features == {
        "sliced_wasserstein", "diversity", "duplicates", "nearest_training", "score",
    }  # fmt: skip
    (*_, logged) = (
        record for record in read_metrics_log(Path(config.workdir)) if METRICS in record
    )
    logged_only = {"saturated", "training_gap"}
    assert set(logged[METRICS]["shoes"]) == found.keys() - on_features | logged_only
    assert "Best and worst" in report(config, resamples=0)
    with pytest.raises(ConfigError, match="takes noise, label"):
        translate(Path(config.workdir), "shoes", tmp_path, tmp_path / "out")

    export(config, tmp_path / "exported", formats=("saved_model", "onnx"))
    folder = tmp_path / "exported" / "shoes" / "1"
    model = create_inference_model(config)
    restore_generators(Path(config.workdir), model)
    domain = load_domain(config.data_dir, config.domain_b, "val", 32)
    inputs = model.generator_inputs({"b": domain.images[:]})["generate"]
    expected = model.generators["generate"](*inputs.values()).numpy()
    assert expected.std() > 1e-3
    arrays = {name: value.numpy() for name, value in inputs.items()}
    version = Version(folder)
    assert set(version.signatures) == {"serving_default"}
    found = version.run("serving_default", arrays)["translated"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert golden.replay(folder, version.run)
    with pytest.raises(RuntimeError, match="no operation"):
        c_api.run(folder, {"absent:0": arrays["label"]}, ["absent:0"])


def test_a_loss_without_a_weight_is_named(config):
    model = create_model(config, tf.float32)
    batch = {stream: tf.zeros((4, 32, 32, 3)) for stream in "ab"}
    step = create_step(
        model,
        create_optimizers(model, config),
        tf.distribute.get_strategy(),
        updates=(("generator",),),
        learning_rate=lambda step: 1e-3,
        loss_weights=lambda step: {"identity_a": 1.0},
    )
    with pytest.raises(ConfigError, match="no weight: adversarial_generate"):
        step((batch,))
