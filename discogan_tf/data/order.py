"""The order of images, crops, flips and noise: pure functions of the seed and the position.

Every domain is a stream of positions 0, 1, 2, ... Positions [e * n, (e + 1) * n) are epoch e of a
domain of n images, and each epoch is a permutation of all of them. There is no state from one batch
to the next: a resumed run needs only its step number, and any worker can make any batch.
"""

import tensorflow as tf


def image_indices(positions: tf.Tensor, num_images: int, seed: int, stream: int) -> tf.Tensor:
    """Indices of the images at some positions of a domain's stream.

    Args:
      positions: int64 [n], not negative.
      num_images: Size of the domain.
      seed: The run's seed.
      stream: Number of the domain. Each has its own order, so that domains never align.

    Returns:
      int64 [n] in 0 .. num_images - 1.
    """
    epochs = positions // num_images
    key = _hash(_hash(tf.constant(seed, tf.int64)) + stream)
    key = _hash(key + epochs)
    # The public wrapper of this operation takes one seed for all indices, but a batch may span two
    # epochs. More rounds than the default, and hashed seeds: with small seeds many images stay in
    # place.
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % num_images,
        seed=tf.cast(tf.stack([_hash(key + word) for word in (1, 2, 3)], axis=1), tf.uint32),
        max_index=tf.constant(num_images - 1, tf.int64),
        rounds=8,
    )


def flips(first_position: tf.Tensor, count: int, seed: int, stream: int) -> tf.Tensor:
    """Whether the images at `count` positions from `first_position` on are mirrored: bool [count].

    Args:
      first_position: Scalar int64, a multiple of `count`.
      count: How many positions.
      seed: The run's seed.
      stream: Number of the domain.
    """
    numbers = tf.random.stateless_uniform(
        [count], seed=tf.stack([tf.constant(2 * seed + stream, tf.int64), first_position])
    )
    return numbers < 0.5


def corners(
    first_position: tf.Tensor, count: int, places: int, seed: int, stream: int
) -> tf.Tensor:
    """Top and left of the crops at `count` positions from `first_position` on: int64 [count, 2].

    Args:
      first_position, count, seed, stream: As for `flips`.
      places: Each number is from 0 to `places` - 1.
    """
    # Another seed than that of flips: they must not depend on each other.
    key = tf.constant(-1 - (2 * seed + stream), tf.int64)
    return tf.random.stateless_uniform(
        [count, 2], tf.stack([key, first_position]), 0, places, tf.int64
    )


def random_numbers(
    first_position: tf.Tensor, count: int, width: int, seed: int, normal: bool = False
) -> tf.Tensor:
    """Numbers for the images at `count` positions from `first_position` on: float32 [count, width].

    Args:
      first_position, count, seed: As for `flips`.
      width: How many for each image.
      normal: Whether their distribution is standard normal. Otherwise it is uniform on [0, 1).
    """
    # Other seeds than those of flips and crops.
    key = _hash(_hash(tf.constant(seed, tf.int64)) + (2 if normal else 1)) + (1 << 33)
    draw = tf.random.stateless_normal if normal else tf.random.stateless_uniform
    return draw([count, width], seed=tf.stack([key, first_position]))


def _hash(x: tf.Tensor) -> tf.Tensor:
    """A 32-bit hash of int64 numbers, as int64, in which every input bit affects every output bit.

    The multipliers are those of C. Wellons' "lowbias32".
    """
    low = tf.constant(0xFFFFFFFF, tf.int64)
    x = x & low
    x = ((x ^ tf.bitwise.right_shift(x, 16)) * 0x7FEB352D) & low
    x = ((x ^ tf.bitwise.right_shift(x, 15)) * 0x846CA68B) & low
    return x ^ tf.bitwise.right_shift(x, 16)
