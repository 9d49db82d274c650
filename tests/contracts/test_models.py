"""Contract of all models."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import losses
from discogan_tf.config import Config
from discogan_tf.errors import CheckpointError, ConfigError
from discogan_tf.models import create_model
from discogan_tf.runs.checkpoints import Checkpoints, restore_generators
from discogan_tf.training.schedules import (
    DISCRIMINATOR,
    GENERATOR,
    step_policies,
    update_schedule,
)
from discogan_tf.training.step import create_optimizers, create_step
from tests.batches import STAGE_1, STAGE_2, TEXT_ENCODER, noise_batch
from tests.cyclegan import CYCLEGAN

_STRATEGY = tf.distribute.get_strategy()


# The settings that networks and losses depend on.
_IMAGE_MODELS = ("discogan", "recon_gan", "gan")
_KINDS = {name: {"model": name} for name in _IMAGE_MODELS} | {
    "discogan": {"conv_implementation": "auto"},
    "text_encoder": TEXT_ENCODER,
    "stage_1": STAGE_1,
    "stage_2": STAGE_2,
    "authors": {
        "architecture": "paper",
        "image_size": 64,
        "base_filters": 8,
        "adversarial_weight": 0.1,
        "feature_matching_weight": 0.9,
        "reconstruction_rate": 0.5,
        "early_steps": 1,
        "separate_discriminator_batch": True,
        "weight_decay": 1e-5,
        "discriminator_weight": 0.5,
        "reconstruction_loss": "mse",
        "identity_weight": 0.0,
        "discriminator_normalization": "batch",
    },
    "cyclegan": CYCLEGAN | {"replay_images": 6},
    **{
        loss: {"adversarial_loss": loss, "identity_weight": 0.0}
        for loss in losses.ADVERSARIAL
        if loss != "cross_entropy"
    },
}
# Those that differ in networks, of which checkpoints consist.
_CAPTIONED_MODELS = ("text_encoder", "stage_1", "stage_2")
_of_each_network = pytest.mark.parametrize(
    "config",
    [
        "discogan", "gan", *_CAPTIONED_MODELS, "cyclegan",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("recon_gan", "authors")),
    ],
    indirect=True,
)  # fmt: skip
_of_each_translator = pytest.mark.parametrize(
    "config", [kind for kind in _KINDS if kind not in _CAPTIONED_MODELS], indirect=True
)
# Those that differ in how a step is computed, for what needs a compiled one.
_of_each_step = pytest.mark.parametrize(
    "config",
    ["discogan", pytest.param("authors", marks=pytest.mark.slow), "cyclegan", "stage_1"],
    indirect=True,
)


@pytest.fixture(params=_KINDS)
def config(request):
    settings = {
        "image_size": 32, "batch_size": 4, "precision": "float32", "base_filters": 4,
        "conv_implementation": "plain",
    }  # fmt: skip
    return Config(**settings | _KINDS[request.param])


@pytest.fixture
def batch(config, shared_model):
    """Four images of noise of each domain."""
    return noise_batch(shared_model, config.image_size)


@pytest.fixture
def model(config):
    return create_model(config, tf.float32)


@functools.cache
def _create_once(config):
    return create_model(config, tf.float32)


@pytest.fixture
def shared_model(config):
    """For tests that change no weights: made once for each kind."""
    return _create_once(config)


def _values(networks):
    return [v.numpy() for network in networks.values() for v in network.variables]


def _trainables(networks):
    return [v for network in networks.values() for v in network.trainable_variables]


def _same(before, after):
    return all(np.array_equal(x, y) for x, y in zip(before, after, strict=True))


def test_losses_are_finite_scalars_of_distinct_names(shared_model, batch):
    model = shared_model
    tensors = model.forward(batch, tf.constant(1, tf.int64))
    generator, discriminator = model.generator_losses(tensors), model.discriminator_losses(tensors)
    assert not generator.keys() & discriminator.keys()
    for value in (generator | discriminator).values():
        assert value.shape == () and value.dtype == tf.float32 and np.isfinite(value)


def test_every_variable_learns(shared_model, batch):
    model = shared_model
    for networks, losses_of in (
        (model.generators, model.generator_losses),
        (model.discriminators, model.discriminator_losses),
    ):
        variables = _trainables(networks)
        if not networks:
            continue
        with tf.GradientTape() as tape:
            found = losses_of(model.forward(batch, tf.constant(1, tf.int64)))
            # Unequal weights: of the hinge losses the gradients of the last bias cancel out.
            total = sum(weight * loss for weight, loss in enumerate(found.values(), 1))
        for variable, gradient in zip(variables, tape.gradient(total, variables), strict=True):
            assert gradient is not None and np.abs(gradient).max() > 0, variable.path


def _create_step(model, config, optimizers=None, **changed):
    policies = step_policies(config, model) | changed
    return create_step(model, optimizers or create_optimizers(model, config), _STRATEGY, **policies)


@_of_each_step
@pytest.mark.parametrize("side", [GENERATOR, DISCRIMINATOR])
def test_a_sides_update_leaves_the_other_untouched(model, config, batch, side):
    step = _create_step(model, config, updates=((side,),))

    def weights():
        networks = {GENERATOR: model.generators, DISCRIMINATOR: model.discriminators}
        return {name: [v.numpy() for v in _trainables(found)] for name, found in networks.items()}

    before = weights()
    step((batch,))
    after = weights()
    for name in before:
        assert _same(before[name], after[name]) == (name != side)


@_of_each_translator
def test_sample_and_signatures_are_images_in_range(shared_model, batch):
    model = shared_model
    for images in model.sample(batch).values():
        assert images.shape == batch["a"].shape
        assert float(tf.reduce_min(images)) >= 0 and float(tf.reduce_max(images)) <= 1
    for signatures in model.signatures().values():
        assert "translated" in signatures["serving_default"].function(batch["a"])
        for signature in signatures.values():
            assert signature.inputs["images"].shape.as_list() == [None, *batch["a"].shape[1:]]
            for images in signature.function(batch["a"]).values():
                assert images.shape == batch["a"].shape


@_of_each_network
def test_checkpoint_round_trip(model, config, batch, tmp_path):
    optimizers = create_optimizers(model, config)
    rng = np.random.default_rng(0)
    for variable in (v for optimizer in optimizers.values() for v in optimizer.variables):
        variable.assign(100 * rng.random(variable.shape))
    model.forward(batch, tf.constant(1, tf.int64))  # Changes the state, and statistics.
    Checkpoints(tmp_path / "checkpoints", model, optimizers, keep=2).save(7)

    other = create_model(config, tf.float32)
    other_optimizers = create_optimizers(other, config)
    checkpoints = Checkpoints(tmp_path / "checkpoints", other, other_optimizers, keep=2)
    assert checkpoints.restore_last() == 7
    for ours, theirs in (
        (model.generators, other.generators),
        (model.discriminators, other.discriminators),
        (optimizers, other_optimizers),
    ):
        assert _same(_values(ours), _values(theirs))
    for name, variable in model.state.items():
        assert np.array_equal(variable, other.state[name]), name

    translator = create_model(config, tf.float32)
    assert restore_generators(tmp_path, translator) == 7
    assert _same(_values(model.generators), _values(translator.generators))


@_of_each_network
def test_a_checkpoint_of_other_networks_is_refused(model, config, tmp_path):
    Checkpoints(tmp_path / "checkpoints", model, create_optimizers(model, config), keep=1).save(1)
    if config.architecture == "paper":
        larger = dataclasses.replace(config, architecture="chapter")
    elif config.architecture == "resnet":  # Its weights do not depend on the size.
        larger = dataclasses.replace(config, residual_blocks=2)
    else:
        larger = dataclasses.replace(config, image_size=64)
    other = create_model(larger, tf.float32)
    checkpoints = Checkpoints(tmp_path / "checkpoints", other, create_optimizers(other, larger), 1)
    with pytest.raises(CheckpointError, match="cannot restore"):
        checkpoints.restore_last()


@_of_each_step
@pytest.mark.parametrize("precision", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
def test_low_precision_steps_are_finite_and_keep_float32_weights(config, batch, precision):
    config = dataclasses.replace(config, precision=precision, generator_updates_per_step=1)
    model = create_model(config, tf.as_dtype(precision))
    step = _create_step(model, config)
    before = _values(model.generators)
    for _ in range(3):
        metrics = step((batch,) * len(update_schedule(config)))
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(v.dtype == "float32" for v in _trainables(model.generators))
    assert not _same(before, _values(model.generators))


def test_an_unknown_model_is_refused():
    with pytest.raises(ConfigError, match="must be one of discogan, recon_gan, gan"):
        create_model(Config(model="vae"), tf.float32)


def test_every_loss_has_a_weight(shared_model, batch):
    model = shared_model
    tensors = model.forward(batch, tf.constant(1, tf.int64))
    names = model.generator_losses(tensors).keys() | model.discriminator_losses(tensors).keys()
    weights = model.loss_weights(tf.constant(1, tf.int64))
    assert names <= weights.keys()
    assert all(weight.shape == () and weight.dtype == tf.float32 for weight in weights.values())


@_of_each_translator
def test_translations_name_generators_and_streams(shared_model, batch):
    model = shared_model
    by_name = {translation.name: translation for translation in model.translations}
    assert by_name.keys() == model.generators.keys() == model.signatures().keys()
    for translation in model.translations:
        assert {translation.source, translation.target} <= batch.keys()
        if translation.inverse:
            inverse = by_name[translation.inverse]
            assert (inverse.source, inverse.target) == (translation.target, translation.source)
    inputs = model.generator_inputs({"a": batch["a"]})
    assert inputs.keys() == {name for name, t in by_name.items() if t.source == "a"}
