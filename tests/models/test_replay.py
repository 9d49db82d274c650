"""Replay buffers, and the discriminators that learn from them."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.models import create_inference_model, create_model
from discogan_tf.models.replay import ReplayBuffer


def _numbered(first, count=4):
    """Images whose value is their number."""
    numbers = np.arange(first, first + count, dtype=np.float32)
    return tf.constant(np.broadcast_to(numbers[:, None, None, None], (count, 2, 2, 3)).copy())


def _numbers(images):
    return images.numpy()[:, 0, 0, 0].astype(int).tolist()


def _run(buffer, steps):
    """What it returned in each step, of batches that are numbered throughout."""
    return [
        _numbers(buffer.exchange(_numbered(4 * step), tf.constant(step, tf.int64)))
        for step in steps
    ]


@pytest.mark.parametrize("size", [4, 10, 12])
def test_until_it_is_full_it_returns_what_it_is_given(size):
    buffer = ReplayBuffer(size, (2, 2, 3), seed=0)
    for step, returned in enumerate(_run(buffer, range(size // 4))):
        assert returned == list(range(4 * step, 4 * step + 4))
    assert sorted(_numbers(buffer.variables["images"])[: size // 4 * 4]) == list(
        range(size // 4 * 4)
    )


def test_then_half_are_exchanged_for_stored_ones():
    buffer = ReplayBuffer(10, (2, 2, 3), seed=0)
    returned = _run(buffer, range(600))
    new = [number >= 4 * step for step, batch in enumerate(returned) for number in batch]
    assert 0.45 < np.mean(new[12:]) < 0.55
    # Nothing is lost or seen twice: an image is returned or stored, and returned when exchanged.
    seen = [number for batch in returned[3:] for number in batch]
    assert len(set(seen)) == len(seen)
    stored = _numbers(buffer.variables["images"])
    assert len(set(stored)) == 10 and not set(stored) & set(seen)


def test_every_slot_is_exchanged_equally_often():
    """Whether an image is exchanged says nothing about which stored one takes its place."""
    buffer, times = ReplayBuffer(8, (2, 2, 3), seed=0), np.zeros(8)
    _run(buffer, range(2))
    for step in range(2, 600):
        before = _numbers(buffer.variables["images"])
        _run(buffer, [step])
        times += np.not_equal(before, _numbers(buffer.variables["images"]))
    # About 150 each, with a standard deviation of 11.
    assert times.min() > 0.75 * times.mean() and times.max() < 1.25 * times.mean()


def test_it_is_a_function_of_seed_and_step():
    one, same, of_the_other_domain, other = (
        ReplayBuffer(6, (2, 2, 3), *numbers) for numbers in ((1,), (1, 0), (1, 1), (2, 0))
    )
    returned = _run(one, range(30))
    assert _run(same, range(12)) == returned[:12]
    assert _run(other, range(30)) != returned != _run(of_the_other_domain, range(30))
    resumed = ReplayBuffer(6, (2, 2, 3), seed=1)
    for name, variable in same.variables.items():
        resumed.variables[name].assign(variable)
    assert _run(resumed, range(12, 30)) == returned[12:]


def test_discriminators_learn_from_stored_translations(batch):
    """Their losses on translations do not see new ones that were exchanged; generators' do."""
    config = Config(
        image_size=32, batch_size=4, precision="float32", base_filters=4, replay_images=4
    )
    model = create_model(config, tf.float32)
    model.forward(batch, tf.constant(1, tf.int64))  # Fills the buffers.
    white = tf.ones((4, 32, 32, 3))
    model.state["replay_b_images"].assign(white)
    tensors = model.forward(batch, tf.constant(2, tf.int64))
    from_store = np.all(tensors["replayed_b"] == white, axis=(1, 2, 3))
    assert 0 < from_store.sum() < 4
    np.testing.assert_array_equal(
        tensors["replayed_b"][~from_store], tensors["fake_b"][~from_store]
    )
    logits = tensors["replayed_b_logits"]
    expected = tf.reduce_mean(tf.nn.softplus(logits))
    found = model.discriminator_losses(tensors)["discriminator_b_fake"]
    assert float(found) == pytest.approx(float(expected), abs=1e-6)
    expected = tf.reduce_mean(tf.nn.softplus(-tensors["fake_b_logits"]))
    found = model.generator_losses(tensors)["adversarial_a_to_b"]
    assert float(found) == pytest.approx(float(expected), abs=1e-6)
    without = create_model(dataclasses.replace(config, replay_images=0), tf.float32)
    assert not any("replay" in name for name in without.state)
    # Each domain exchanges others.
    exchanged = {domain: [] for domain in "ab"}
    for step in range(3, 20):
        for domain in exchanged:
            model.state[f"replay_{domain}_images"].assign(white)
        tensors = model.forward(batch, tf.constant(step, tf.int64))
        for domain, found in exchanged.items():
            found.append(np.all(tensors[f"replayed_{domain}"] == white, axis=(1, 2, 3)).tolist())
    assert exchanged["a"] != exchanged["b"]


def test_only_the_model_that_trains_stores_translations():
    config = Config(image_size=32, base_filters=4, replay_images=16)
    assert not any("replay" in name for name in create_inference_model(config).state)
