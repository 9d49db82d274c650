"""Contract of generators: a training step trains the function that is shipped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.normalization import BatchRenorm
from tests.batches import STAGE_1, STAGE_2, noise_batch
from tests.cyclegan import CYCLEGAN

_BATCH = 16
_CHAPTER = {"image_size": 32}
_PAPER = {"architecture": "paper", "image_size": 64, "base_filters": 8}
_RESNET = {"architecture": "resnet", "image_size": 32, "residual_blocks": 1}
_INSTANCE = {"normalization": "instance"}
_TRANSLATORS = {
    "chapter": _CHAPTER,
    "chapter, instance norm": _CHAPTER | _INSTANCE,
    "recon_gan": _CHAPTER | {"model": "recon_gan"},
    "gan": _CHAPTER | {"model": "gan"},
    "paper": _PAPER,
    "resnet": _RESNET,
    "cyclegan": _RESNET | CYCLEGAN,
}


def _create(settings):
    settings = {"precision": "float32", "base_filters": 4, "image_size": 32} | settings
    config = Config(**settings)
    keras.utils.set_random_seed(0)
    model = create_model(config, tf.float32)
    return model, noise_batch(model, config.image_size, 2 * _BATCH)


def _renormalized(generator):
    return [layer for layer in named_layers(generator).values() if isinstance(layer, BatchRenorm)]


def _pass_forward(model, batch):
    """As in hundreds of steps."""
    for number in range(3):
        model.forward(batch, tf.constant(number + 1, tf.int64))
    for generator in model.generators.values():
        for layer in _renormalized(generator):
            layer.end_warm_up()


# The three models have the same generators.
_SLOW = ("recon_gan", "gan")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(settings, id=name, marks=[pytest.mark.slow] * (name in _SLOW))
        for name, settings in _TRANSLATORS.items()
    ],
)
def test_an_image_has_one_translation(settings):
    """Alone, among its own kind and among others; and in the pass that updates statistics."""
    model, both = _create(settings)
    batch, other = (
        {key: value[half] for key, value in both.items()}
        for half in (slice(_BATCH), slice(_BATCH, None))
    )
    _pass_forward(model, batch)
    for name, source, target, _ in model.translations:
        generator = model.generators[name]
        image, others = batch[source][:1], batch[target][:3]
        shipped = generator(image).numpy()
        assert shipped.std() > 1e-3  # Or anything would agree.
        dark = others / 4  # Of another kind than anything that it was trained on.
        for beside in (others[:0], batch[source][1:], others, dark):
            together = generator(tf.concat([image, beside], 0), training=True)[:1]
            np.testing.assert_allclose(together, shipped, atol=1e-5)
        if name in model.adversarial:
            _require_nearly_shipped(generator, tf.concat([image, other[source][1:]], 0))


def _require_nearly_shipped(generator, *inputs):
    """In the pass that updates statistics: a tenth of what it uses comes from its own batch."""
    layers, shipped = _renormalized(generator), generator(*inputs).numpy()
    updating = generator(*inputs, training=True, update_statistics=True)
    if not layers:
        np.testing.assert_allclose(updating, shipped, atol=1e-5)
        return
    for layer in layers:
        layer.reset()
    batch_norm = generator(*inputs, training=True)
    difference = np.abs(updating - shipped).mean()
    print(difference, np.abs(batch_norm - shipped).mean())
    assert difference < 0.01
    assert difference < 0.5 * np.abs(batch_norm - shipped).mean()


@pytest.mark.parametrize("settings", [STAGE_1, STAGE_2], ids=["stage_1", "stage_2"])
def test_a_sentence_has_one_image(settings):
    model, batch = _create(settings)
    _pass_forward(model, batch)
    generator = model.generators["generate"]
    text, noise = batch["text"], batch["noise"]
    shipped = generator(text[:1], noise[:1]).numpy()
    assert shipped.std() > 1e-3
    for count in (1, 3, 8):
        together = generator(text[:count], noise[:count], training=True)[:1]
        np.testing.assert_allclose(together, shipped, atol=1e-5)
    _require_nearly_shipped(generator, text[:5], noise[:5])


@pytest.mark.parametrize(
    "settings", [_CHAPTER, _PAPER, _RESNET], ids=["chapter", "paper", "resnet"]
)
def test_batch_norm_trains_other_functions(settings):
    """Why it is not the default."""
    model, batch = _create(settings | {"normalization": "batch"})
    generator = model.generators["a_to_b"]
    among = [
        generator(tf.concat([batch["a"][:1], beside], 0), training=True)[:1].numpy()
        for beside in (batch["a"][1:4], batch["b"][:3] / 4)
    ]
    assert np.abs(among[0] - among[1]).max() > 1e-3
