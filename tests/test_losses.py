"""Losses against numbers worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import losses

# Logits whose probabilities are 1/2 and 3/4.
_LOGITS = tf.constant([0.0, math.log(3.0)])


def test_adversarial():
    # -(log 1/2 + log 3/4) / 2
    assert float(losses.adversarial(_LOGITS)) == pytest.approx(0.4904146, abs=1e-6)


def test_discriminator_real():
    assert float(losses.discriminator_real(_LOGITS)) == pytest.approx(0.4904146, abs=1e-6)


def test_discriminator_fake():
    # -(log 1/2 + log 1/4) / 2
    assert float(losses.discriminator_fake(_LOGITS)) == pytest.approx(1.0397208, abs=1e-6)


def test_cross_entropy_stays_finite_far_out():
    far = tf.constant([-1e4, 1e4])
    assert float(losses.adversarial(far)) == pytest.approx(5000.0)
    assert float(losses.discriminator_fake(far)) == pytest.approx(5000.0)


def test_adversarial_gradient():
    logits = tf.Variable(_LOGITS)
    with tf.GradientTape() as tape:
        loss = losses.adversarial(logits)
    # (sigmoid - 1) / 2
    np.testing.assert_allclose(tape.gradient(loss, logits), [-0.25, -0.125], rtol=1e-6)


_REAL = tf.reshape(tf.constant([0.0, 0.25, 0.5]), [1, 1, 1, 3])
_RECONSTRUCTED = tf.reshape(tf.constant([0.5, 0.25, 0.75]), [1, 1, 1, 3])


def test_mse_reconstruction():
    # (0.25 + 0 + 0.0625) / 3
    assert float(losses.mse_reconstruction(_REAL, _RECONSTRUCTED)) == pytest.approx(0.1041667, abs=1e-6)


def test_l1_reconstruction():
    # (0.5 + 0 + 0.25) / 3
    assert float(losses.l1_reconstruction(_REAL, _RECONSTRUCTED)) == pytest.approx(0.25)
