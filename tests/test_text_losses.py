"""Losses of the models of captioned images, and their gradients, against float64."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import losses

_RNG = np.random.default_rng(0)
_MEAN, _LOG_DEVIATION = _RNG.normal(size=(2, 5, 7))
_IMAGES, _TEXTS = 0.7 * _RNG.normal(size=(2, 6, 4))
_CLASSES = np.array([0, 1, 0, 2, 3, 2])


def _kl(mean, log_deviation):
    variance = np.exp(2 * log_deviation)
    return (0.5 * (variance + mean**2 - 1 - np.log(variance))).sum(1).mean()


def _joint_embedding(images, texts):
    terms = []
    for i in range(len(images)):
        for j in range(len(images)):
            if _CLASSES[i] != _CLASSES[j]:
                s_ij, s_ii, s_jj = (images[a] @ texts[b] for a, b in ((i, j), (i, i), (j, j)))
                terms.append(max(0, 1 + s_ij - s_ii) + max(0, 1 + s_ij - s_jj))
    return np.mean(terms)


def _numerical_gradient(function, arguments, position):
    gradient = np.zeros_like(arguments[position])
    for index in np.ndindex(gradient.shape):
        values = []
        for sign in (1, -1):
            changed = [argument.copy() for argument in arguments]
            changed[position][index] += sign * 1e-6
            values.append(function(*changed))
        gradient[index] = (values[0] - values[1]) / 2e-6
    return gradient


@pytest.mark.parametrize(
    ("loss", "expected", "arguments"),
    [
        (losses.kl_from_standard_normal, _kl, (_MEAN, _LOG_DEVIATION)),
        (
            lambda images, texts: losses.structured_joint_embedding(
                images, texts, tf.constant(_CLASSES, tf.int32)
            ),
            _joint_embedding,
            (_IMAGES, _TEXTS),
        ),
    ],
    ids=["kl", "joint_embedding"],
)
def test_a_loss_and_its_gradients(loss, expected, arguments):
    variables = [tf.Variable(argument.astype(np.float32)) for argument in arguments]
    with tf.GradientTape() as tape:
        value = loss(*variables)
    assert value.dtype == tf.float32 and value.shape == ()
    np.testing.assert_allclose(value, expected(*arguments), rtol=1e-5)
    for position, gradient in enumerate(tape.gradient(value, variables)):
        numerical = _numerical_gradient(expected, list(arguments), position)
        np.testing.assert_allclose(gradient, numerical, atol=1e-5)


def test_the_divergence_is_zero_for_the_standard_normal_alone():
    zeros = tf.zeros((2, 3))
    assert float(losses.kl_from_standard_normal(zeros, zeros)) == 0
    # The sum over dimensions, not their mean.
    assert float(losses.kl_from_standard_normal(zeros + 2.0, zeros)) == pytest.approx(6.0)


def test_pairs_of_one_class_cost_nothing():
    images = tf.constant([[1.0, 0.0], [1.0, 0.0]])
    same, other = tf.constant([4, 4]), tf.constant([4, 5])
    assert float(losses.structured_joint_embedding(images, images, same)) == 0
    assert float(losses.structured_joint_embedding(images, images, other)) == pytest.approx(2.0)
