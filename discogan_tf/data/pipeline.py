"""Batches of two unpaired domains, by tf.data: uint8 array -> order -> flip -> float32 in [0, 1]."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from discogan_tf import images
from discogan_tf.data import order
from discogan_tf.data.domains import StoredPictures

# Elements prepared ahead of those in training.
_PREFETCH = 2


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """How the global batches of a run are made and shared out.

    A step takes `updates_per_step` batches, one after another. Each is cut into one part per
    replica, of equal size; replicas are numbered through all workers.
    """

    batch_size: int
    updates_per_step: int = 1
    flip: bool = False
    seed: int = 0
    num_replicas: int = 1
    first_replica: int = 0
    local_replicas: int = 1


def training_batches(
    images_a: np.ndarray | StoredPictures,
    images_b: np.ndarray | StoredPictures,
    plan: BatchPlan,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Endless training data from `first_step` on.

    Args:
      images_a: uint8 [n_a, size, size, 3], the training pictures of domain a, in memory or on the disk.
      images_b: uint8 [n_b, size, size, 3], of domain b; n_b may differ from n_a.
      plan: How the batches are made.
      first_step: Step of the first element.

    Returns:
      A data set with one element a step and local replica, the replicas of a step in turn. An
      element is what a function of `part_function` gives.
    """
    batches = part_numbers(plan, first_step).map(
        part_function({"a": images_a, "b": images_b}, plan, _look_up),
        num_parallel_calls=2,
        deterministic=True,
    )
    return batches.prefetch(_PREFETCH)


def part_numbers(plan: BatchPlan, first_step: int = 0) -> tf.data.Dataset:
    """The number, scalar int64, of each part of the global batches that this process makes, endlessly."""

    def number(count):
        step, replica = count // plan.local_replicas, count % plan.local_replicas
        return step * plan.num_replicas + plan.first_replica + replica

    return tf.data.Dataset.range(first_step * plan.local_replicas, tf.int64.max).map(number)


def part_function(domains: dict, plan: BatchPlan, look_up: Callable):
    """What makes a part of the global batches from its number.

    Args:
      domains: "a", "b" -> its training pictures, uint8 [n, size, size, 3].
      plan: How the batches are made.
      look_up: A function from pictures, as `domains` has them, and indices int64 [m] to uint8
        [m, size, size, 3].

    Returns:
      A function from a number of `part_numbers` to a tuple of `plan.updates_per_step` batches {"a", "b"},
      each float32 [batch_size / num_replicas, size, size, 3] in [0, 1].
    """
    part_size = plan.batch_size // plan.num_replicas

    def chosen(number, update, stream, num_pictures):
        """Of one replica's part of one domain's batch: which pictures, and which of them mirrored."""
        step, replica = number // plan.num_replicas, number % plan.num_replicas
        first = (step * plan.updates_per_step + update) * plan.batch_size
        start = replica * part_size
        positions = first + start + tf.range(part_size, dtype=tf.int64)
        indices = order.picture_indices(positions, num_pictures, plan.seed, stream)
        if not plan.flip:
            return indices, None
        # Drawn for the whole batch, so that they do not depend on the number of replicas.
        mirrored = order.flips(first, plan.batch_size, plan.seed, stream)
        mirrored = tf.cast(mirrored[start : start + part_size], tf.int64)
        # Places among the pictures and, behind them, their mirror images.
        return indices, tf.range(part_size, dtype=tf.int64) + part_size * mirrored

    def part(number, update, stream, pictures):
        with tf.device("CPU:0"):  # A few numbers, by operations that GPUs lack: none comes from there.
            indices, places = chosen(number, update, stream, pictures.shape[0])
        found = images.to_float(look_up(pictures, indices))
        if places is not None:
            # Whole pictures are chosen: tf.where looks at every value, and takes longer.
            found = tf.gather(tf.concat([found, tf.reverse(found, axis=[2])], axis=0), places)
        return found

    def parts(number):
        return tuple(
            {
                key: part(number, update, stream, pictures)
                for stream, (key, pictures) in enumerate(domains.items())
            }
            for update in range(plan.updates_per_step)
        )

    return parts


def _look_up(pictures: np.ndarray | StoredPictures, indices: tf.Tensor) -> tf.Tensor:
    """By NumPy, from memory or from the disk: a tensor would be a second copy of all of it."""
    found = tf.numpy_function(pictures.__getitem__, [indices], tf.uint8, stateful=False)
    return tf.ensure_shape(found, (indices.shape[0], *pictures.shape[1:]))
