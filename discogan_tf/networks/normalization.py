"""Normalization layers. Each computes in the dtype of its input and keeps float32 variables."""

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.networks import normalization_ops as ops

# How much of the running statistics an update replaces: they average over about ten batches.
_RATE = 0.1
# Batch renormalization is batch norm for so many updates, and becomes itself over the next ones
# (Ioffe 2017, section 4, opens its limits likewise).
_BATCH_UPDATES, _WARM_UP_UPDATES = 200, 400


class BatchNorm(keras.layers.Layer):
    """Batch normalization over all axes but the last (Ioffe and Szegedy 2015).

    In training it normalizes with the statistics of the batch: of the global batch, if several
    replicas share one. Otherwise it normalizes with `mean` and `variance`, which no training step
    changes: `statistics.py` re-estimates them on training images (precise batch norm) before the
    network is shown, evaluated or exported. Differs from the chapter: its moving averages are never
    updated and it always normalizes with the batch, so that the translation of an image depends on
    the images beside it.

    Attributes:
      batch_statistics: Mean and variance, float32 [c], of the last batch in training mode.
    """

    def __init__(self, name: str):
        super().__init__(name=name, autocast=False)
        self.batch_statistics: tuple[tf.Tensor, tf.Tensor] | None = None
        self._folded = False

    def build(self, input_shape):
        if self._folded:
            return

        def vector(name, initializer, trainable):
            return self.add_weight(
                name=name, shape=(input_shape[-1],), initializer=initializer, trainable=trainable,
                # Replicas that update a statistic in a step have equal values.
                aggregation="mean" if trainable else "only_first_replica",
            )  # fmt: skip

        self.scale = vector("scale", "ones", True)
        self.offset = vector("offset", "zeros", True)
        self.mean = vector("mean", "zeros", False)
        self.variance = vector("variance", "ones", False)

    def call(self, x, training=False, update_statistics=False):
        if self._folded:
            return x
        shape = tf.shape(x)
        # The fused kernel takes images only; to it, vectors are images of one pixel.
        images = x if x.shape.rank == 4 else x[:, tf.newaxis, tf.newaxis, :]
        scale, offset = tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.offset)
        if not training:
            mean, variance = tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.variance)
            return tf.reshape(ops.normalize_fused(images, scale, offset, mean, variance), shape)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync == 1:
            replica = None
        y, *statistics = self._normalize(images, scale, offset, replica, update_statistics)
        self.batch_statistics = tuple(statistics)
        return tf.reshape(y, shape)

    def _normalize(self, images, scale, offset, replica, update_statistics):
        """In training mode: y, and mean and variance of the batch."""
        if replica is not None:
            return ops.normalize_by_global_batch(images, scale, offset, replica)
        return ops.normalize_by_batch(images, scale, offset)

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """What it multiplies by and adds outside training, for each channel: float64 [c] each."""
        scale, offset, mean, variance = (
            value.numpy().astype(np.float64)
            for value in (self.scale, self.offset, self.mean, self.variance)
        )
        factor = scale / np.sqrt(variance + ops.EPSILON)
        return factor, offset - mean * factor

    def fold(self, source: "BatchNorm", norm: None) -> None:
        """Becomes the identity: the layer before it does its work."""
        self._folded = True


class BatchRenorm(BatchNorm):
    """Batch renormalization (Ioffe 2017, arXiv 1702.03275), without its limits.

    It computes one function in and outside training: it normalizes with `mean` and `variance`,
    which are running averages over batches. Batch norm computes another function for each kind of
    batch. A generator sees batches of real inputs, of translations to reconstruct, and of images of
    its target domain, so that its losses on the latter two would hold functions that nobody uses
    after training. Gradients are those of batch norm: with constant statistics training diverges.

    During the first updates it is batch norm, and becomes batch renormalization gradually.

    In a step, one pass of the network updates the running averages (`update_statistics`), before
    it uses them. The other passes only use them.
    """

    def build(self, input_shape):
        super().build(input_shape)
        if not self._folded:
            # Number of updates. All replicas have equal values.
            self.num_updates = self.add_weight(
                name="num_updates", shape=(), initializer="zeros", trainable=False,
                aggregation="only_first_replica",
            )  # fmt: skip

    def reset(self) -> None:
        """Makes the next update take the statistics of its batch as they are."""
        self.num_updates.assign(0.0)

    def end_warm_up(self) -> None:
        """Makes training mode use the running averages alone, as after many updates."""
        self.num_updates.assign(float(_BATCH_UPDATES + _WARM_UP_UPDATES))

    def _normalize(self, images, scale, offset, replica, update_statistics):
        def update(mean, variance):
            if update_statistics:
                self.num_updates.assign_add(1.0)
                rate = tf.maximum(_RATE, 1.0 / tf.convert_to_tensor(self.num_updates))
                for running, value in ((self.mean, mean), (self.variance, variance)):
                    # A rate of 1 gives the value itself, without the rounding of a difference.
                    running.assign((1 - rate) * running + rate * value)
            # At first the weights change faster than running averages can follow.
            known = tf.convert_to_tensor(self.num_updates)
            share = tf.clip_by_value((known - _BATCH_UPDATES) / _WARM_UP_UPDATES, 0.0, 1.0)
            return (
                (1 - share) * value + share * tf.convert_to_tensor(running)
                for running, value in ((self.mean, mean), (self.variance, variance))
            )

        return ops.renormalize(images, scale, offset, update, replica)


class InstanceNorm(keras.layers.Layer):
    """Instance normalization (Ulyanov et al. 2016, arXiv 1607.08022), without scale and offset.

    Each image is normalized with its own statistics, in and outside training. There is nothing to
    estimate, and nothing that the layer before it could take over.
    """

    def __init__(self, name: str):
        super().__init__(name=name, autocast=False)

    def call(self, x, training=False, update_statistics=False):
        return ops.normalize_by_image(x)


# By the value of --normalization.
NORMALIZATIONS = {"batch_renorm": BatchRenorm, "batch": BatchNorm, "instance": InstanceNorm}
# By the value of --discriminator_normalization. None normalizes kernels (`normalize_spectrally`).
DISCRIMINATOR_NORMALIZATIONS = {"spectral": None, "batch": BatchNorm, "instance": InstanceNorm}
