"""Batches of unpaired domains, by tf.data: uint8 -> order -> crop and flip -> float32 in [0, 1]."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.data import order
from discogan_tf.data.domains import StoredImages

# Elements prepared ahead of those in training.
_PREFETCH = 2


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """How the global batches of a run are made and divided.

    A step takes `updates_per_step` batches, one after another. Each is divided into one shard per
    replica, of equal size; replicas are numbered across all workers. With a `crop_size` other than
    0, images are random crops of that size.
    """

    batch_size: int
    updates_per_step: int = 1
    flip: bool = False
    crop_size: int = 0
    seed: int = 0
    num_replicas: int = 1
    first_replica: int = 0
    local_replicas: int = 1


def training_batches(
    domains: dict[str, np.ndarray | StoredImages], plan: BatchPlan, first_step: int = 0
) -> tf.data.Dataset:
    """Endless training data from `first_step` on.

    Args:
      domains: Name of each stream -> its training images, uint8 [n, size, size, 3], in memory or on
        disk. The streams may have different lengths and never align.
      plan: How the batches are made.
      first_step: Step of the first element.

    Returns:
      A data set with one element per step and local replica, the replicas of a step in turn. An
      element is what a function of `shard_function` returns.
    """
    batches = shard_numbers(plan, first_step).map(
        shard_function(domains, plan, _look_up), num_parallel_calls=2, deterministic=True
    )
    return batches.prefetch(_PREFETCH)


def shard_numbers(plan: BatchPlan, first_step: int = 0) -> tf.data.Dataset:
    """The number, scalar int64, of each shard that this process makes, endlessly."""

    def number(count):
        step, replica = count // plan.local_replicas, count % plan.local_replicas
        return step * plan.num_replicas + plan.first_replica + replica

    return tf.data.Dataset.range(first_step * plan.local_replicas, tf.int64.max).map(number)


def shard_function(domains: dict, plan: BatchPlan, look_up: Callable):
    """A function that makes a shard of the global batches from its number.

    Args:
      domains: Name of each stream -> its training images, uint8 [n, size, size, 3].
      plan: How the batches are made.
      look_up: Function that maps images, as `domains` has them, and indices, int64 [m], to
        uint8 [m, size, size, 3].

    Returns:
      A function that maps a number of `shard_numbers` to a tuple of `plan.updates_per_step`
      batches: stream -> float32 [batch_size / num_replicas, size, size, 3] in [0, 1].
    """
    shard_size = plan.batch_size // plan.num_replicas

    def choose(number, update, stream, images):
        """Of one shard: indices of the images, corners of the crops, and variants to take.

        Corners and variants, which are mirrored or not, are None if there are none.
        """
        step, replica = number // plan.num_replicas, number % plan.num_replicas
        first = (step * plan.updates_per_step + update) * plan.batch_size
        start = replica * shard_size
        positions = first + start + tf.range(shard_size, dtype=tf.int64)
        indices = order.image_indices(positions, images.shape[0], plan.seed, stream)
        corners = variants = None
        # Drawn for the whole batch, so that they do not depend on the number of replicas.
        if plan.crop_size:
            places = images.shape[1] - plan.crop_size + 1
            corners = order.corners(first, plan.batch_size, places, plan.seed, stream)
            corners = corners[start : start + shard_size]
        if plan.flip:
            mirrored = order.flips(first, plan.batch_size, plan.seed, stream)
            mirrored = tf.cast(mirrored[start : start + shard_size], tf.int64)
            # Indices into the concatenation of the images and their mirror images.
            variants = tf.range(shard_size, dtype=tf.int64) + shard_size * mirrored
        return indices, corners, variants

    def shard(number, update, stream, images):
        with tf.device("CPU:0"):  # A few numbers, by operations that GPUs lack.
            indices, corners, variants = choose(number, update, stream, images)
        found = pixels.to_float(look_up(images, indices))
        if corners is not None:
            found = _cropped(found, corners, plan.crop_size)
        if variants is not None:
            # Whole images are chosen: tf.where looks at every value, and takes longer.
            found = tf.gather(tf.concat([found, tf.reverse(found, axis=[2])], axis=0), variants)
        return found

    def shards(number):
        return tuple(
            {
                key: shard(number, update, stream, images)
                for stream, (key, images) in enumerate(domains.items())
            }
            for update in range(plan.updates_per_step)
        )

    return shards


def _cropped(images: tf.Tensor, corners: tf.Tensor, size: int) -> tf.Tensor:
    """[n, size, size, 3] of images [n, h, w, 3], from corners int64 [n, 2] on: top and left."""
    places = corners[:, :, tf.newaxis] + tf.range(size, dtype=tf.int64)
    for axis in (1, 2):
        images = tf.gather(images, places[:, axis - 1], axis=axis, batch_dims=1)
    return images


def _look_up(images: np.ndarray | StoredImages, indices: tf.Tensor) -> tf.Tensor:
    """By NumPy, from memory or from the disk: a tensor would be a second copy of everything."""
    found = tf.numpy_function(images.__getitem__, [indices], tf.uint8, stateful=False)
    return tf.ensure_shape(found, (indices.shape[0], *images.shape[1:]))
