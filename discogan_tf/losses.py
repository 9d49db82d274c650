"""The losses, as pure functions from tensors to one float32 scalar.

D is the discriminator of the target domain: its output here is a logit, and its probability that a
picture is real is sigmoid(logit). Means are over the batch, and over pixels and channels.
"""

import tensorflow as tf

# Added to what is divided by.
_TINY = 1e-12


def adversarial(fake_logits: tf.Tensor) -> tf.Tensor:
    """What the generator pays for fakes that are found out: mean of -log D(G(x)).

    Kim et al. 2017, equation 4, and the chapter: sigmoid cross-entropy against 1.

    Args:
      fake_logits: Logits of translated pictures, float32 [batch].
    """
    return _cross_entropy(fake_logits, 1)


def discriminator_real(real_logits: tf.Tensor) -> tf.Tensor:
    """First half of the discriminator's loss: mean of -log D(x) over real x, float32 [batch].

    Kim et al. 2017, equation 6, first term: sigmoid cross-entropy against 1.
    """
    return _cross_entropy(real_logits, 1)


def discriminator_fake(fake_logits: tf.Tensor) -> tf.Tensor:
    """Second half of the discriminator's loss: mean of -log(1 - D(G(x))), float32 [batch].

    Kim et al. 2017, equation 6, second term: sigmoid cross-entropy against 0.
    """
    return _cross_entropy(fake_logits, 0)


def mse_reconstruction(real: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Mean squared error between x and G_ba(G_ab(x)), images [batch, h, w, 3] in [0, 1].

    Kim et al. 2017, equation 3, with d the mean squared error; the chapter's choice.
    """
    return tf.reduce_mean(tf.math.squared_difference(real, reconstructed))


def l1_reconstruction(real: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Mean absolute error between x and G_ba(G_ab(x)), images [batch, h, w, 3] in [0, 1].

    Kim et al. 2017, equation 3, with d the absolute error, as in CycleGAN (Zhu et al. 2017, eq. 2).
    """
    return tf.reduce_mean(tf.abs(real - reconstructed))


def cosine_reconstruction(real: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of 1 - cos of the angle between x and G_ba(G_ab(x)), all values one vector.

    Kim et al. 2017, section 2.2, name it among distances d. It does not see how light a picture is.
    """
    real, reconstructed = (tf.reshape(x, [tf.shape(x)[0], -1]) for x in (real, reconstructed))
    product = tf.reduce_sum(real * reconstructed, axis=1)
    squares = tf.reduce_sum(tf.square(real), axis=1) * tf.reduce_sum(tf.square(reconstructed), axis=1)
    # Of a black picture the angle is not known: 1, and no gradient that is not finite.
    return tf.reduce_mean(1 - product * tf.math.rsqrt(squares + _TINY))


# By the value of --reconstruction_loss.
RECONSTRUCTION = {"mse": mse_reconstruction, "l1": l1_reconstruction, "cosine": cosine_reconstruction}


def feature_matching(real_features: list[tf.Tensor], fake_features: list[tf.Tensor]) -> tf.Tensor:
    """Squared differences between batch means of a discriminator's features, added up over its layers.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.1, as in the code of the paper's authors: the mean
    over the batch at every place and channel, the mean of the squared differences over these. Layers are
    added up in their order.

    Args:
      real_features: Of pictures of the domain, [batch, h, w, c] for each layer.
      fake_features: Of translations into it, likewise.
    """
    differences = [
        tf.reduce_mean(tf.cast(real, tf.float32), axis=0)
        - tf.reduce_mean(tf.cast(fake, tf.float32), axis=0)
        for real, fake in zip(real_features, fake_features, strict=True)
    ]
    return tf.reduce_sum(tf.stack([tf.reduce_mean(tf.square(difference)) for difference in differences]))


def _cross_entropy(logits: tf.Tensor, label: int) -> tf.Tensor:
    """Mean over the batch of the sigmoid cross-entropy against a label of 0 or 1.

    With s the sigmoid: -log s(x) = softplus(-x) and -log(1 - s(x)) = softplus(x). TensorFlow's own
    `sigmoid_cross_entropy_with_logits` is the same for labels between, but its gradient adds up four
    terms in an order that depends on which is ready first, so that no two runs would be the same.
    """
    return tf.reduce_mean(tf.nn.softplus(-logits if label else logits))
