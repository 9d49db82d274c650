"""The losses, as pure functions from tensors to one float32 scalar.

Logits are the raw output of a discriminator D, of any shape: one number per image, or a grid of
patches. Means are over all axes: batch, and patches or pixels and channels.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# Keeps divisors away from 0.
_EPSILON = 1e-12
# A kernel [2, 2, 1, 2]: each pixel and the one below it, and the one beside it.
_DIFFERENCES = ((((-1.0, -1.0),), ((0.0, 1.0),)), (((1.0, 0.0),), ((0.0, 0.0),)))
# Gradients far below this one, of values in [0, 1], are no contours.
_FLAT = 1e-2
# From R, G, B (rows) to (R + G + B) / 3, R - G, B - (R + G) / 2 (columns).
_TO_OPPONENTS = ((1 / 3, 1.0, -0.5), (1 / 3, -1.0, -0.5), (1 / 3, 0.0, 1.0))


class AdversarialLoss(NamedTuple):
    """An adversarial loss.

    Attributes:
      generator: Generator loss, a function of the logits of translations.
      real: Discriminator loss on real images, a function of their logits.
      fake: Discriminator loss on translations, a function of their logits.
      undecided: Value of `real` and of `fake` for the best discriminator that gives all images the
        same logit. Warnings compare losses with it.
      outpaced: Value of `generator` above which its discriminator outpaces it: that of a
        probability of 1/32 that a translation is real. Hinge losses, whose logits stand for no
        probability, have five times `undecided`.
    """

    generator: Callable[[tf.Tensor], tf.Tensor]
    real: Callable[[tf.Tensor], tf.Tensor]
    fake: Callable[[tf.Tensor], tf.Tensor]
    undecided: float
    outpaced: float


def cross_entropy_real(logits: tf.Tensor) -> tf.Tensor:
    """Sigmoid cross-entropy against 1: mean of -log sigmoid(x).

    Goodfellow et al. 2014 (arXiv 1406.2661), section 3; Kim et al. 2017, equations 4 and 6. Of the
    logits of translations it is the non-saturating generator loss. With s the sigmoid, -log s(x) =
    softplus(-x). TensorFlow's `sigmoid_cross_entropy_with_logits` is the same, but its gradient
    adds four terms in an order that varies, so results would differ between runs in the last bits.
    """
    return tf.reduce_mean(tf.nn.softplus(-logits))


def cross_entropy_fake(logits: tf.Tensor) -> tf.Tensor:
    """Sigmoid cross-entropy against 0: mean of -log(1 - sigmoid(x)) = softplus(x).

    Kim et al. 2017, equation 6, second term.
    """
    return tf.reduce_mean(tf.nn.softplus(logits))


def least_squares_real(logits: tf.Tensor) -> tf.Tensor:
    """Mean of (x - 1)^2 (Mao et al. 2017, arXiv 1611.04076, equation 9, without its factor 1/2)."""
    return tf.reduce_mean(tf.square(logits - 1.0))


def least_squares_fake(logits: tf.Tensor) -> tf.Tensor:
    """Mean of x^2 (Mao et al. 2017, equation 9, without its factor 1/2)."""
    return tf.reduce_mean(tf.square(logits))


def hinge_generator(logits: tf.Tensor) -> tf.Tensor:
    """Mean of -x (Miyato et al. 2018, arXiv 1802.05957, equation 17)."""
    return -tf.reduce_mean(logits)


def hinge_real(logits: tf.Tensor) -> tf.Tensor:
    """Mean of max(0, 1 - x) (Miyato et al. 2018, equation 16, first term)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - logits))


def hinge_fake(logits: tf.Tensor) -> tf.Tensor:
    """Mean of max(0, 1 + x) (Miyato et al. 2018, equation 16, second term)."""
    return tf.reduce_mean(tf.nn.relu(1.0 + logits))


# By the value of --adversarial_loss. A logit of 0, 1/2 and 0 is undecided: ln 2, 1/4 and 1 for each
# term.
ADVERSARIAL = {
    "cross_entropy": AdversarialLoss(
        cross_entropy_real, cross_entropy_real, cross_entropy_fake, 0.6931472, outpaced=3.4657
    ),
    "least_squares": AdversarialLoss(
        least_squares_real, least_squares_real, least_squares_fake, 0.25, outpaced=0.9385
    ),
    "hinge": AdversarialLoss(hinge_generator, hinge_real, hinge_fake, 1.0, outpaced=5.0),
}


def mse_reconstruction(real: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Mean squared error between x and G_ba(G_ab(x)), images [batch, h, w, 3] in [0, 1].

    Kim et al. 2017, equation 3, with d the mean squared error; the chapter's choice.
    """
    return tf.reduce_mean(tf.math.squared_difference(real, reconstructed))


def l1_reconstruction(real: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Mean absolute error between x and G_ba(G_ab(x)), images [batch, h, w, 3] in [0, 1].

    The cycle consistency loss of CycleGAN (Zhu et al. 2017, arXiv 1703.10593, equation 2); Kim et
    al. 2017, equation 3, with d the absolute error.
    """
    return tf.reduce_mean(tf.abs(real - reconstructed))


def cosine_reconstruction(real: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of the cosine distance 1 - cos(x, G_ba(G_ab(x))), each image one vector.

    Kim et al. 2017, section 2.2, name it among the distances d. It ignores brightness.
    """
    real, reconstructed = (tf.reshape(x, [tf.shape(x)[0], -1]) for x in (real, reconstructed))
    product = tf.reduce_sum(real * reconstructed, axis=1)
    squares = tf.reduce_sum(tf.square(real), axis=1) * tf.reduce_sum(
        tf.square(reconstructed), axis=1
    )
    # The angle of a black image is undefined: its distance is 1, with a finite gradient.
    return tf.reduce_mean(1 - product * tf.math.rsqrt(squares + _EPSILON))


def identity(real: tf.Tensor, mapped: tf.Tensor) -> tf.Tensor:
    """Mean absolute error between y and G_ab(y), images [batch, h, w, 3] in [0, 1].

    Taigman et al. 2017 (arXiv 1611.02200), equation 6; Zhu et al. 2017 (arXiv 1703.10593), section
    5.2. A generator that receives an image of its target domain must return it unchanged. Inverted
    colors raise it. Adversarial and reconstruction losses stay the same if one generator inverts
    colors and the other inverts them again.
    """
    return tf.reduce_mean(tf.abs(real - mapped))


def foreground_color(images: tf.Tensor, fixed_foreground: bool = False) -> tf.Tensor:
    """Mean color of the foreground, which is what is not white, in opponent channels.

    A pixel counts as foreground with the weight clip((0.95 - min(R, G, B)) / 0.1, 0, 1). Photos
    without white are foreground throughout.

    Args:
      images: float32 [batch, h, w, 3] in [0, 1].
      fixed_foreground: Whether the weights are constants in the gradient. Otherwise a generator
        could change a mean color by what it leaves white.

    Returns:
      float32 [batch, 3]: (R + G + B) / 3, R - G, B - (R + G) / 2.
    """
    weights = tf.clip_by_value((0.95 - tf.reduce_min(images, -1, keepdims=True)) / 0.1, 0.0, 1.0)
    if fixed_foreground:
        weights = tf.stop_gradient(weights)
    total = tf.reduce_sum(weights * images, [1, 2]) / (tf.reduce_sum(weights, [1, 2]) + 1.0)
    return tf.matmul(total, tf.constant(_TO_OPPONENTS, total.dtype))


def color(source: tf.Tensor, translated: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weighted mean absolute difference of standardized colors.

    A transport cost between an image and its translation, as in Lu et al. 2020 (arXiv 2003.06635),
    on their mean colors only. Both are standardized by the mean and deviation of their own domain,
    so that the optimum agrees with realism. Inverted colors raise it.

    Args:
      source, translated: float32 [batch, 3].
      weights: Of the channels, float32 [3]: 0 for one that does not vary in both domains.
    """
    # Rare colors, beyond three deviations, would have no counterpart in the other domain.
    difference = tf.abs(translated - tf.clip_by_value(source, -3.0, 3.0))
    return tf.reduce_mean(weights * difference)


def contours(images: tf.Tensor) -> tf.Tensor:
    """Blurred gradient magnitude of each image's gray values, standardized.

    Args:
      images: float32 [batch, h, w, 3].

    Returns:
      float32 [batch, h - 1, w - 1, 1], of mean 0 and deviation 1, or 0 where an image is flat.
    """
    gray = tf.reduce_mean(images, -1, keepdims=True)
    differences = tf.nn.conv2d(gray, tf.constant(_DIFFERENCES, gray.dtype), 1, "VALID")
    magnitude = tf.sqrt(tf.reduce_sum(tf.square(differences), -1, keepdims=True) + _FLAT**2)
    for _ in range(2):  # About a Gaussian with a deviation of 1.2 pixels.
        magnitude = tf.nn.avg_pool2d(magnitude, 3, 1, "SAME")
    centered = magnitude - tf.reduce_mean(magnitude, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), [1, 2], keepdims=True)
    return centered * tf.math.rsqrt(variance + _FLAT**2)


def shape(source: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of 1 - the correlation of contours.

    A transport cost like `color`, for domains that show the same things in the same places, such as
    drawings and photos. It ignores colors and contrast.

    Args:
      source, translated: float32 [batch, h, w, 3] in [0, 1].
    """
    return 1 - tf.reduce_mean(contours(source) * contours(translated))


# By the value of --reconstruction_loss.
RECONSTRUCTION = {
    "mse": mse_reconstruction,
    "l1": l1_reconstruction,
    "cosine": cosine_reconstruction,
}


def feature_matching(real_features: list[tf.Tensor], fake_features: list[tf.Tensor]) -> tf.Tensor:
    """Squared differences between batch means of a discriminator's features, summed over layers.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.1, as in the code of the paper's authors: the
    mean over the batch at every position and channel, then the mean of the squared differences over
    these.

    Args:
      real_features: Of images of the target domain, [batch, h, w, c] for each layer.
      fake_features: Of translations into it, likewise.
    """
    differences = [
        tf.reduce_mean(tf.cast(real, tf.float32), axis=0)
        - tf.reduce_mean(tf.cast(fake, tf.float32), axis=0)
        for real, fake in zip(real_features, fake_features, strict=True)
    ]
    means = [tf.reduce_mean(tf.square(difference)) for difference in differences]
    return tf.reduce_sum(tf.stack(means))  # Always in the order of the layers.


def kl_from_standard_normal(mean: tf.Tensor, log_deviation: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence of N(mean, deviation^2) from N(0, 1).

    Zhang et al. 2017 (arXiv 1612.03242), equation 2: the sum over dimensions of
    (deviation^2 + mean^2 - 1) / 2 - log deviation, and the mean over the batch. The authors' code
    takes the mean over dimensions, too, and a weight of 2: for 128 dimensions that is a weight of
    1/64 here.

    Args:
      mean: float32 [batch, dimensions].
      log_deviation: Natural logarithm of the standard deviation, likewise.
    """
    terms = (tf.exp(2.0 * log_deviation) + tf.square(mean) - 1.0) / 2.0 - log_deviation
    return tf.reduce_mean(tf.reduce_sum(terms, axis=1))


def structured_joint_embedding(
    images: tf.Tensor, texts: tf.Tensor, classes: tf.Tensor
) -> tf.Tensor:
    """Margin loss between images and texts (Reed et al. 2016, arXiv 1605.05395, equations 3, 4).

    With s_ij the scalar product of image i and text j, the mean of max(0, 1 + s_ij - s_ii), each
    image with the texts of others, and of max(0, 1 + s_ij - s_jj), each text with other images. In
    the paper a batch has one image of each class. Here pairs i, j of one class are left out.

    Args:
      images: Embeddings, float32 [batch, features].
      texts: Embeddings of a text of each image, likewise.
      classes: int32 [batch].
    """
    scores = tf.matmul(images, texts, transpose_b=True)
    matching = tf.reduce_sum(images * texts, axis=1)
    others = tf.cast(classes[:, tf.newaxis] != classes[tf.newaxis, :], tf.float32)
    of_images = tf.nn.relu(1.0 + scores - matching[:, tf.newaxis])
    of_texts = tf.nn.relu(1.0 + scores - matching[tf.newaxis, :])
    count = tf.maximum(tf.reduce_sum(others), 1.0)
    return tf.reduce_sum(others * (of_images + of_texts)) / count
