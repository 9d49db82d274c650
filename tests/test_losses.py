"""Losses against numbers worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import losses

# Logits whose probabilities are 1/2 and 3/4.
_LOGITS = tf.constant([0.0, math.log(3.0)])


@pytest.mark.parametrize(
    ("loss", "generator", "real", "fake"),
    [
        # -(log 1/2 + log 3/4) / 2 and -(log 1/2 + log 1/4) / 2.
        ("cross_entropy", 0.4904146, 0.4904146, 1.0397208),
        # With x = log 3: (1 + (x - 1)^2) / 2 and x^2 / 2.
        ("least_squares", 0.5048621, 0.5048621, 0.6034745),
        # -x / 2; (1 + 0) / 2, for log 3 is beyond the margin; (1 + 1 + x) / 2.
        ("hinge", -0.5493061, 0.5, 1.5493061),
    ],
)
def test_adversarial_losses(loss, generator, real, fake):
    functions = losses.ADVERSARIAL[loss]
    for function, expected in zip(functions[:3], (generator, real, fake), strict=True):
        assert float(function(_LOGITS)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", losses.ADVERSARIAL.values(), ids=losses.ADVERSARIAL)
def test_logits_have_any_shape(loss):
    """The mean over images of one logit is that over patches, in any arrangement."""
    logits = tf.random.stateless_normal([24], [1, 2])
    for function in loss[:3]:
        for shape in ([24, 1], [2, 3, 4, 1]):
            patches = tf.reshape(logits, shape)
            assert function(patches).shape == ()
            assert float(function(patches)) == pytest.approx(float(function(logits)), rel=1e-6)


@pytest.mark.parametrize("loss", losses.ADVERSARIAL.values(), ids=losses.ADVERSARIAL)
def test_undecided_is_the_best_that_equal_logits_can_do(loss):
    grid = np.linspace(-3, 3, 601, dtype=np.float32)
    totals = [float(loss.real(tf.constant([x])) + loss.fake(tf.constant([x]))) for x in grid]
    assert min(totals) == pytest.approx(2 * loss.undecided, abs=1e-5)


def test_cross_entropy_stays_finite_far_out():
    far = tf.constant([-1e4, 1e4])
    assert float(losses.cross_entropy_real(far)) == pytest.approx(5000.0)
    assert float(losses.cross_entropy_fake(far)) == pytest.approx(5000.0)


def test_adversarial_gradient():
    logits = tf.Variable(_LOGITS)
    with tf.GradientTape() as tape:
        loss = losses.cross_entropy_real(logits)
    # (sigmoid - 1) / 2
    np.testing.assert_allclose(tape.gradient(loss, logits), [-0.25, -0.125], rtol=1e-6)


_REAL = tf.reshape(tf.constant([0.0, 0.25, 0.5]), [1, 1, 1, 3])
_RECONSTRUCTED = tf.reshape(tf.constant([0.5, 0.25, 0.75]), [1, 1, 1, 3])


def test_mse_reconstruction():
    # (0.25 + 0 + 0.0625) / 3
    assert float(losses.mse_reconstruction(_REAL, _RECONSTRUCTED)) == pytest.approx(
        0.1041667, abs=1e-6
    )


def test_l1_reconstruction():
    # (0.5 + 0 + 0.25) / 3
    assert float(losses.l1_reconstruction(_REAL, _RECONSTRUCTED)) == pytest.approx(0.25)


def test_cosine_reconstruction():
    # Of (0, 1/4, 1/2) and (1/2, 1/4, 3/4): 1 - 0.4375 / sqrt(0.3125 * 0.875)
    found = float(losses.cosine_reconstruction(_REAL, _RECONSTRUCTED))
    assert found == pytest.approx(1 - 0.4375 / math.sqrt(0.2734375), abs=1e-6)
    assert float(losses.cosine_reconstruction(_REAL, 2 * _REAL)) == pytest.approx(0, abs=1e-6)


def test_cosine_of_a_black_image_has_a_finite_gradient():
    black = tf.Variable(tf.zeros((1, 2, 2, 3)))
    with tf.GradientTape() as tape:
        loss = losses.cosine_reconstruction(tf.ones((1, 2, 2, 3)), black)
    assert float(loss) == 1 and np.isfinite(tape.gradient(loss, black)).all()


def test_feature_matching():
    # Batch means 2 and 3 against 1 and 5: (1 + 4) / 2; then 0 against 3: 9.
    real = [tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[0.0], [0.0]])]
    fake = [tf.constant([[0.0, 5.0], [2.0, 5.0]]), tf.constant([[2.0], [4.0]])]
    shaped = ([tf.reshape(x, [2, 1, 1, -1]) for x in features] for features in (real, fake))
    assert float(losses.feature_matching(*shaped)) == pytest.approx(2.5 + 9)


def _cross_entropy(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)


def _cosine(real, back):
    real, back = real.reshape(len(real), -1), back.reshape(len(back), -1)
    norms = np.linalg.norm(real, axis=1) * np.linalg.norm(back, axis=1)
    return np.mean(1 - (real * back).sum(1) / norms)


def _matching(real, fake):
    return np.square(real.mean(0) - fake.mean(0)).mean()


_RNG = np.random.default_rng(0)
_IMAGES = _RNG.uniform(0.1, 0.9, (2, 3, 2, 2, 3))
_CHANNEL_WEIGHTS = np.array([1, 0.5, 0], np.float32)
_LOGIT_GRID = _RNG.normal(0, 2, (3, 2, 2, 1))  # Of patches.


@pytest.mark.parametrize(
    ("loss", "exact", "inputs"),
    [
        (losses.cross_entropy_real, lambda x: _cross_entropy(x).mean(), [_LOGIT_GRID]),
        (losses.cross_entropy_fake, lambda x: _cross_entropy(-x).mean(), [_LOGIT_GRID]),
        (losses.least_squares_real, lambda x: np.square(x - 1).mean(), [_LOGIT_GRID]),
        (losses.least_squares_fake, lambda x: np.square(x).mean(), [_LOGIT_GRID]),
        (losses.hinge_generator, lambda x: -x.mean(), [_LOGIT_GRID]),
        (losses.hinge_real, lambda x: np.maximum(0, 1 - x).mean(), [_LOGIT_GRID]),
        (losses.hinge_fake, lambda x: np.maximum(0, 1 + x).mean(), [_LOGIT_GRID]),
        (losses.mse_reconstruction, lambda x, y: np.square(x - y).mean(), _IMAGES),
        (losses.l1_reconstruction, lambda x, y: np.abs(x - y).mean(), _IMAGES),
        (losses.cosine_reconstruction, _cosine, _IMAGES),
        (
            lambda x, y: losses.color(x[0, 0], y[0, 0], tf.constant(_CHANNEL_WEIGHTS)),
            lambda x, y: (np.abs(y - np.clip(x, -3, 3))[0, 0] * _CHANNEL_WEIGHTS).mean(),
            [4 * image for image in _IMAGES],
        ),
        (losses.identity, lambda x, y: np.abs(x - y).mean(), _IMAGES),
        (lambda x, y: losses.feature_matching([x], [y]), _matching, _IMAGES),
    ],
)
def test_values_and_gradients_against_float64(loss, exact, inputs):
    """Gradients by differences of the plain formula, a value at a time."""
    variables = [tf.Variable(tf.cast(x, tf.float32)) for x in inputs]
    with tf.GradientTape() as tape:
        value = loss(*variables)
    assert float(value) == pytest.approx(exact(*inputs), rel=1e-5)
    gradients = tape.gradient(value, variables)
    for which, gradient in enumerate(gradients):
        for place in np.ndindex(inputs[which].shape):
            moved = [[x.copy() for x in inputs] for _ in range(2)]
            moved[0][which][place] += 1e-5
            moved[1][which][place] -= 1e-5
            slope = (exact(*moved[0]) - exact(*moved[1])) / 2e-5
            assert float(gradient[place]) == pytest.approx(slope, abs=2e-6), place


def test_the_foreground_is_what_is_not_white():
    """Half white, half of one color: its mean is that color, in opponent channels."""
    images = np.ones((2, 4, 4, 3), np.float32)
    images[0, :2] = (0.6, 0.2, 0.1)
    images[1, :2] = (0.0, 0.0, 0.8)
    images[1, 2:] = (0.9, 0.95, 0.95)  # Its darkest channel is half way to white.
    found = losses.foreground_color(tf.constant(images)).numpy()
    # Eight pixels of weight 1, and one more in the divisor, which keeps it above 0.
    np.testing.assert_allclose(found[0], np.array([0.3, 0.4, -0.3]) * 8 / 9, atol=1e-6)
    mean = (8 * np.array([0, 0, 0.8]) + 4 * np.array([0.9, 0.95, 0.95])) / 13
    expected = [mean.mean(), mean[0] - mean[1], mean[2] - mean[:2].mean()]
    np.testing.assert_allclose(found[1], expected, atol=1e-6)


def test_a_fixed_foreground_has_no_gradient_in_its_shape():
    images = tf.Variable(tf.fill((1, 2, 2, 3), 0.9))

    def gradient(fixed):
        with tf.GradientTape() as tape:
            brightness = losses.foreground_color(images, fixed)[0, 0]
        return tape.gradient(brightness, images).numpy()

    # Weights of 1/2 each: brightness * 2 / (2 + 1), so 1/3 * 1/2 / 3 for each of 12 values.
    np.testing.assert_allclose(gradient(True), np.full((1, 2, 2, 3), 1 / 18), rtol=1e-5)
    assert np.abs(gradient(False) - gradient(True)).max() > 0.1


def _contours(images):
    """By the definition, in float64: SAME pooling averages what is within the image."""
    gray = images.mean(-1)
    vertical, horizontal = (
        gray[:, 1:, :-1] - gray[:, :-1, :-1],
        gray[:, :-1, 1:] - gray[:, :-1, :-1],
    )
    magnitude = np.sqrt(vertical**2 + horizontal**2 + 1e-4)
    for _ in range(2):
        height, width = magnitude.shape[1:]
        magnitude = np.stack([
            np.stack([
                magnitude[:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean((1, 2))
                for x in range(width)
            ], -1)
            for y in range(height)
        ], 1)  # fmt: skip
    centered = magnitude - magnitude.mean((1, 2), keepdims=True)
    return centered / np.sqrt((centered**2).mean((1, 2), keepdims=True) + 1e-4)


def test_shape_and_its_gradient_against_float64():
    source, translated = np.random.default_rng(1).uniform(0.1, 0.9, (2, 2, 6, 6, 3))

    def exact(translated):
        return 1 - (_contours(source) * _contours(translated)).mean()

    variable = tf.Variable(tf.cast(translated, tf.float32))
    with tf.GradientTape() as tape:
        value = losses.shape(tf.cast(source, tf.float32), variable)
    assert float(value) == pytest.approx(exact(translated), rel=1e-4)
    gradient = tape.gradient(value, variable).numpy()
    for place in [(0, 0, 0, 0), (0, 3, 2, 1), (1, 5, 5, 2), (1, 2, 4, 0)]:
        ahead, behind = translated.copy(), translated.copy()
        ahead[place] += 1e-5
        behind[place] -= 1e-5
        slope = (exact(ahead) - exact(behind)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=2e-5), place


def test_shape_ignores_color_and_sees_place():
    square = np.ones((1, 16, 16, 3), np.float32)
    square[:, 4:12, 4:12] = (0.2, 0.3, 0.9)
    other_color = np.where(square < 1, [0.7, 0.1, 0.2], 1.0).astype(np.float32)
    assert float(losses.shape(square, square)) == pytest.approx(0, abs=0.03)
    assert float(losses.shape(square, other_color)) < 0.1
    assert float(losses.shape(square, np.roll(other_color, 3, axis=2))) > 0.4
    flat = tf.fill((1, 16, 16, 3), 0.5)
    assert float(losses.shape(square, flat)) == pytest.approx(1)
    assert np.isfinite(losses.contours(flat)).all()
