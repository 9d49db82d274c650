"""Batches of two unpaired domains, by tf.data: uint8 array -> order -> flip -> float32 in [0, 1]."""

import dataclasses

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
      element is a tuple of `updates_per_step` batches {"a", "b"}, each float32
      [batch_size / num_replicas, size, size, 3] in [0, 1].
    """
    domains = {"a": images_a, "b": images_b}
    part_size = plan.batch_size // plan.num_replicas

    def part(batch_number, replica, stream, domain):
        """One replica's part of one domain's batch."""
        first = batch_number * plan.batch_size
        start = replica * part_size
        positions = first + start + tf.range(part_size, dtype=tf.int64)
        indices = order.picture_indices(positions, len(domain), plan.seed, stream)
        # By NumPy, from memory or from the disk: a tensor would be a second copy of all of it.
        pictures = tf.numpy_function(domain.__getitem__, [indices], tf.uint8, stateful=False)
        pictures = images.to_float(tf.ensure_shape(pictures, (part_size, *domain.shape[1:])))
        if plan.flip:
            # Drawn for the whole batch, so that they do not depend on the number of replicas.
            mirrored = order.flips(first, plan.batch_size, plan.seed, stream)
            mirrored = mirrored[start : start + part_size, tf.newaxis, tf.newaxis, tf.newaxis]
            pictures = tf.where(mirrored, pictures[:, :, ::-1], pictures)
        return pictures

    def element(number):
        step = number // plan.local_replicas
        replica = plan.first_replica + number % plan.local_replicas
        return tuple(
            {
                key: part(step * plan.updates_per_step + update, replica, stream, domain)
                for stream, (key, domain) in enumerate(domains.items())
            }
            for update in range(plan.updates_per_step)
        )

    numbers = tf.data.Dataset.range(first_step * plan.local_replicas, tf.int64.max)
    batches = numbers.map(element, num_parallel_calls=2, deterministic=True)
    return batches.prefetch(_PREFETCH)
