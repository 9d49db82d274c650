"""What DiscoGAN's losses hold: colors and identity."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import losses
from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.models.moments import RunningMoments

_CONFIG = Config(
    image_size=32, batch_size=4, precision="float32", base_filters=4, conv_implementation="plain"
)
_FIRST = tf.constant(1, tf.int64)


def _discs(colors):
    """An image of each color: a square on white, float32 [n, 32, 32, 3]."""
    images = np.ones((len(colors), 32, 32, 3), np.float32)
    images[:, 8:24, 8:24] = np.asarray(colors, np.float32)[:, None, None]
    return tf.constant(images)


def test_moments_are_those_of_all_batches_while_few():
    values = np.random.default_rng(0).normal(3, 2, (5, 4, 3)).astype(np.float32)
    moments = RunningMoments(3)
    for batch in values:
        moments.update(tf.constant(batch))
    everything = values.reshape(-1, 3)
    np.testing.assert_allclose(moments.mean, everything.mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.deviation, everything.std(0), rtol=1e-3)
    standardized = moments.standardize(tf.constant(everything)).numpy()
    np.testing.assert_allclose(standardized.std(0), 1, rtol=1e-3)


def test_moments_follow_later_batches():
    moments = RunningMoments(1)
    for value in [0.0] * 60 + [1.0] * 200:
        moments.update(tf.fill((4, 1), value))
    assert 0.95 < float(moments.mean[0]) < 1


def test_inverted_colors_cost_what_no_other_loss_sees():
    """Squares whose translations have the same colors, or those of another square."""
    rng = np.random.default_rng(0)
    colors = rng.uniform(0.1, 0.8, (16, 3))
    batch = {"a": _discs(colors), "b": _discs(rng.uniform(0.1, 0.8, (16, 3)))}
    model = create_model(dataclasses.replace(_CONFIG, identity_weight=0.0), tf.float32)
    found = {}
    for name, translated in (("same", colors), ("inverted", 0.9 - colors)):
        model.generators["a_to_b"] = lambda *_, images=translated, **__: _discs(images)
        found[name] = float(model.generator_losses(model.forward(batch, _FIRST))["color_b"])
    assert found["inverted"] > 1.5 * found["same"]


@pytest.mark.parametrize("gray", ["a", "b"])
def test_domains_without_colors_have_no_color_loss(gray):
    """Drawings: nothing could carry over, and a translation must not lose its own colors."""
    rng = np.random.default_rng(0)
    batch = {domain: _discs(rng.uniform(0.1, 0.8, (16, 3))) for domain in "ab"}
    batch[gray] = _discs(np.full((16, 3), 0.4))
    model = create_model(_CONFIG, tf.float32)
    found = model.generator_losses(model.forward(batch, _FIRST))
    assert float(found["color_a"]) == float(found["color_b"]) == 0


def test_identity_is_that_of_the_target_domain():
    """G_ab on images of b, G_ba on images of a; without a weight there are no such passes."""
    rng = np.random.default_rng(0)
    batch = {domain: _discs(rng.uniform(0, 0.8, (4, 3))) for domain in "ab"}
    config = dataclasses.replace(_CONFIG, identity_weight=1.0)
    model = create_model(config, tf.float32)
    tensors = model.forward(batch, _FIRST)
    found = model.generator_losses(tensors)
    for domain, name in (("a", "b_to_a"), ("b", "a_to_b")):
        mapped = model.generators[name](batch[domain], training=True)
        expected = losses.identity(batch[domain], mapped)
        assert float(found[f"identity_{domain}"]) == pytest.approx(float(expected), rel=1e-5)
    for images, expected in ((2, 2), (0, 4), (9, 4)):
        some = create_model(dataclasses.replace(config, identity_images=images), tf.float32)
        tensors = some.forward(batch, _FIRST)
        assert tensors["identity_b"].shape[0] == expected
        assert np.isfinite(some.generator_losses(tensors)["identity_b"])
    assert list(model.sample(batch))[:4] == ["real_a", "fake_b", "reconstructed_a", "identity_a"]
    shown = model.sample(batch)["identity_a"]
    np.testing.assert_allclose(shown, model.generators["b_to_a"](batch["a"]), atol=1e-6)
    without = create_model(dataclasses.replace(config, identity_weight=0.0), tf.float32)
    assert not any("identity" in name for name in without.forward(batch, _FIRST))
    assert not any("identity" in name for name in without.sample(batch))
