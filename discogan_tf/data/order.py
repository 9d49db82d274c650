"""Which pictures a batch holds and which are mirrored: pure functions of the seed and the position.

Every domain is a stream of positions 0, 1, 2, ... Positions [e * n, (e + 1) * n) are epoch e of a
domain of n pictures, and each epoch is a permutation of all of them. Nothing is remembered from one
batch to the next, so a resumed run needs only its step number, and any worker can make any batch.
"""

import tensorflow as tf


def picture_indices(positions: tf.Tensor, num_pictures: int, seed: int, stream: int) -> tf.Tensor:
    """The pictures at some positions of a domain's stream.

    Args:
      positions: int64 [n], not negative.
      num_pictures: Size of the domain.
      seed: The run's seed.
      stream: Number of the domain: each has an order of its own, so that domains never align.

    Returns:
      int64 [n] in 0 .. num_pictures - 1.
    """
    epochs = positions // num_pictures
    key = _mixed(_mixed(tf.constant(seed, tf.int64)) + stream)
    key = _mixed(key + epochs)
    # The public wrapper of this operation takes one seed for all indices, but a batch may span
    # two epochs. More rounds than its default, and mixed seeds: with plain small numbers for seeds
    # many pictures stay in place.
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % num_pictures,
        seed=tf.cast(tf.stack([_mixed(key + word) for word in (1, 2, 3)], axis=1), tf.uint32),
        max_index=tf.constant(num_pictures - 1, tf.int64),
        rounds=8,
    )


def flips(first_position: tf.Tensor, count: int, seed: int, stream: int) -> tf.Tensor:
    """Whether the pictures at `count` positions from `first_position` on are mirrored: bool [count].

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


def _mixed(x: tf.Tensor) -> tf.Tensor:
    """A 32-bit hash of int64 numbers, as int64: every input bit moves every output bit.

    The multipliers are those of C. Wellons' "lowbias32".
    """
    low = tf.constant(0xFFFFFFFF, tf.int64)
    x = x & low
    x = ((x ^ tf.bitwise.right_shift(x, 16)) * 0x7FEB352D) & low
    x = ((x ^ tf.bitwise.right_shift(x, 15)) * 0x846CA68B) & low
    return x ^ tf.bitwise.right_shift(x, 16)
