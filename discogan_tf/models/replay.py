"""Replay buffers: earlier translations from which discriminators go on learning."""

import tensorflow as tf

_FIRST_KEY = 1 << 40


class ReplayBuffer:
    """Stores translations, and returns some stored ones in place of new ones.

    Shrivastava et al. 2017 (arXiv 1612.07828), section 2.3, with the rule of CycleGAN's code: until
    the buffer is full, translations are stored and returned. Then each is, with probability 1/2,
    exchanged for a random stored one. The discriminator cannot forget what was generated some
    hundred steps ago, which damps oscillation. Differs from that code in one thing: the images of
    one batch never meet each other in the buffer.

    What is exchanged is a function of the seed and the step, so that a resumed run does the same.

    Args:
      size: How many images it stores, at least the batch size.
      image_shape: Their shape.
      seed: Of the run.
      number: Of the buffer in the run. Each has other random numbers.

    Attributes:
      variables: Name -> variable, which checkpoints must hold.
    """

    def __init__(self, size: int, image_shape: tuple[int, ...], seed: int, number: int = 0):
        # Beyond the keys of flips and crops (`data/order.py`): they must not depend on each other.
        self._size, self._key = size, _FIRST_KEY + 2 * seed + number
        self._images = tf.Variable(tf.zeros((size, *image_shape)), trainable=False)
        self._count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.variables = {"images": self._images, "count": self._count}

    def exchange(self, images: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """What the discriminator learns from in this step, as constants.

        Args:
          images: New translations, float32 [batch, h, w, c].
          step: Number of the step, scalar int64.

        Returns:
          Images new and stored, of the same shape, each in the place of its new one.
        """
        images, batch = tf.stop_gradient(images), images.shape[0]
        count = tf.convert_to_tensor(self._count)
        seed = tf.stack([tf.constant(self._key, tf.int64), tf.cast(step, tf.int64)])
        numbers = tf.random.stateless_uniform([2, self._size], seed)
        is_free = tf.range(self._size, dtype=tf.int64) >= count
        # Slots in use, in random order, before the free ones.
        used = tf.argsort(numbers[0] + tf.cast(is_free, tf.float32))[:batch]
        next_free = count + tf.range(batch, dtype=tf.int64)
        fills = next_free < self._size
        # Those that find no free slot: some of the last ones of a batch at first, then all.
        exchanged = tf.logical_not(fills) & (numbers[1, :batch] < 0.5)
        slots = tf.where(fills, next_free, tf.cast(used, tf.int64))
        old = tf.gather(self._images, slots)
        stored = tf.where(_of_images(fills | exchanged), images, old)
        self._images.scatter_nd_update(slots[:, tf.newaxis], stored)
        self._count.assign(tf.minimum(count + batch, self._size))
        return tf.where(_of_images(exchanged), old, images)


def _of_images(chosen: tf.Tensor) -> tf.Tensor:
    """[batch] -> [batch, 1, 1, 1]."""
    return tf.reshape(chosen, [-1, 1, 1, 1])
