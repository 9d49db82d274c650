"""StackGAN's networks: conditioning augmentation, noise, wrong texts, the text encoder."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import text
from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.models.stackgan import noise_of
from discogan_tf.networks.text import GRU
from tests.batches import STAGE_1, STAGE_2, TEXT_ENCODER, noise_batch


def test_noise_depends_on_its_seed_alone():
    together = noise_of(tf.constant([3, 4, 3], tf.int64), 5)
    alone = noise_of(tf.constant([3], tf.int64), 5)
    np.testing.assert_array_equal(together[0], alone[0])
    np.testing.assert_array_equal(together[0], together[2])
    assert np.abs(together[0] - together[1]).max() > 0.1
    # Stage II takes more numbers, of which the first are those of Stage I.
    np.testing.assert_array_equal(noise_of(tf.constant([3], tf.int64), 9)[:, :5], alone)


def test_c_is_the_mean_plus_noise_times_the_deviation():
    model = create_model(Config(image_size=32, base_filters=4, **STAGE_1), tf.float32)
    augmentation = model.generators["generate"].augmentation
    embedding, noise = tf.random.normal((6, 8)), tf.random.normal((6, 4))
    c, mean, log_deviation = augmentation(embedding, noise)
    np.testing.assert_allclose(c, mean + tf.exp(log_deviation) * noise, atol=1e-6)
    assert float(tf.reduce_min(mean)) < 0 and float(tf.reduce_min(log_deviation)) < 0


def test_without_conditioning_augmentation_c_is_of_the_text_alone():
    characters = text.encode(["red boot", "blue tote"])
    noise = np.random.default_rng(0).normal(size=(2, 9)).astype(np.float32)
    other = noise.copy()
    other[:, :4] += 1.0  # What c would take.
    for weight in (0.0, 0.002):
        config = Config(image_size=32, base_filters=4, **STAGE_1 | {"kl_weight": weight})
        generator = create_model(config, tf.float32).generators["generate"]
        images = [generator(characters, of).numpy() for of in (noise, other)]
        assert np.array_equal(*images) == (weight == 0)


def test_stage_2_refines_the_images_that_stage_1_is_shown_with():
    config = Config(image_size=32, base_filters=4, normalization="batch", **STAGE_2)
    generator, shown = create_model(config, tf.float32).generators["generate"], []
    call = generator.stage_1.call
    generator.stage_1.call = lambda *inputs, **mode: shown.append(call(*inputs, **mode)) or shown[0]
    characters = tf.constant(text.encode(["red boot", "blue tote"]))
    noise = tf.random.stateless_normal((2, generator.num_noise), [1, 2])
    generator(characters, noise, training=True)
    alone = call(characters, noise[:, : generator.stage_1.num_noise])
    np.testing.assert_allclose(shown[0], alone, atol=1e-6)


@pytest.mark.parametrize("normalization", ["spectral", "batch"])
def test_a_wrong_text_is_one_of_three_pairs(normalization):
    config = Config(
        image_size=32, base_filters=4, discriminator_normalization=normalization, **STAGE_1
    )
    model = create_model(config, tf.float32)
    batch = noise_batch(model, 32)
    tensors = model.forward(batch, tf.constant(1, tf.int64))
    assert all(
        tensors[f"{kind}_logits"].shape == (4, 1, 1, 1) for kind in ("real", "wrong", "fake")
    )
    assert np.abs(tensors["real_logits"] - tensors["wrong_logits"]).max() > 0
    right = model.forward(batch | {"wrong_text": batch["text"]}, tf.constant(1, tf.int64))
    if normalization == "spectral":
        np.testing.assert_allclose(right["real_logits"], right["wrong_logits"], atol=1e-6)
    weights = model.loss_weights(tf.constant(1, tf.int64))
    rejected = weights["discriminator_image_wrong"] + weights["discriminator_image_fake"]
    assert float(rejected) == float(weights["discriminator_image_real"])


def test_the_recurrent_unit_computes_the_same_in_training():
    gru = GRU(6, "gru")
    x = tf.random.normal((3, 5, 4))
    np.testing.assert_allclose(gru(x, training=True), gru(x), atol=1e-6)
    expected, h = [], np.zeros((3, 6))
    w, b, u = (np.asarray(v, float) for v in (
        gru.input_gates.kernel, gru.input_gates.bias, gru.state_gates.kernel,
    ))  # fmt: skip
    for step in np.moveaxis(x.numpy().astype(float), 1, 0):
        of_x, of_h = np.split(step @ w + b, 3, 1), np.split(h @ u, 3, 1)
        update, reset = (1 / (1 + np.exp(-(of_x[i] + of_h[i]))) for i in (0, 1))
        h = update * h + (1 - update) * np.tanh(of_x[2] + reset * of_h[2])
        expected.append(h)
    np.testing.assert_allclose(gru(x), np.stack(expected, 1), atol=1e-5)


def test_padding_does_not_change_an_embedding():
    model = create_model(Config(image_size=32, **TEXT_ENCODER), tf.float32)
    characters = text.encode(["red boot", "a much longer caption, of a blue tote with white dots"])
    together = model.text(characters)
    np.testing.assert_allclose(model.text(characters[:1]), together[:1], atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 1e-3
