"""Batches of unpaired domains, by tf.data: uint8 -> order -> crop and flip -> float32 in [0, 1]."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.data import order
from discogan_tf.data.captions import Captions, Mismatches
from discogan_tf.data.domains import StoredImages

# Elements prepared ahead of those in training.
_PREFETCH = 2
# A wrong caption that is right is chosen again so often, with numbers shifted by so much: the first
# by one half, to change between captions of the same type and of any.
_REDRAWS, _SHIFT = 8, np.array([0.5, 0.382, 0.0, 0.618], np.float32)


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """How the global batches of a run are made and divided.

    A step takes `updates_per_step` batches, one after another. Each is divided into one shard per
    replica, of equal size; replicas are numbered across all workers. With a `crop_size` other than
    0, images are random crops of that size. With a `noise_size`, there are so many random numbers
    for each image.
    """

    batch_size: int
    updates_per_step: int = 1
    flip: bool = False
    crop_size: int = 0
    noise_size: int = 0
    seed: int = 0
    num_replicas: int = 1
    first_replica: int = 0
    local_replicas: int = 1


def training_batches(
    domains: dict[str, np.ndarray | StoredImages],
    plan: BatchPlan,
    first_step: int = 0,
    captions: Captions | None = None,
) -> tf.data.Dataset:
    """Endless training data from `first_step` on.

    Args:
      domains: Name of each stream -> its training images, uint8 [n, size, size, 3], in memory or on
        disk. The streams may have different lengths and never align.
      plan: How the batches are made.
      first_step: Step of the first element.
      captions: As for `shard_function`.

    Returns:
      A data set with one element per step and local replica, the replicas of a step in turn. An
      element is what a function of `shard_function` returns.
    """
    batches = shard_numbers(plan, first_step).map(
        shard_function(domains, plan, _look_up, captions), num_parallel_calls=2, deterministic=True
    )
    return batches.prefetch(_PREFETCH)


def shard_numbers(plan: BatchPlan, first_step: int = 0) -> tf.data.Dataset:
    """The number, scalar int64, of each shard that this process makes, endlessly."""

    def number(count):
        step, replica = count // plan.local_replicas, count % plan.local_replicas
        return step * plan.num_replicas + plan.first_replica + replica

    return tf.data.Dataset.range(first_step * plan.local_replicas, tf.int64.max).map(number)


def shard_function(
    domains: dict, plan: BatchPlan, look_up: Callable, captions: Captions | None = None
):
    """A function that makes a shard of the global batches from its number.

    Args:
      domains: Name of each stream -> its training images, uint8 [n, size, size, 3].
      plan: How the batches are made.
      look_up: Function that maps images, as `domains` has them, and indices, int64 [m], to
        uint8 [m, size, size, 3].
      captions: Of the images of the only stream, if they have captions.

    Returns:
      A function that maps a number of `shard_numbers` to a tuple of `plan.updates_per_step`
      batches of n = batch_size / num_replicas: stream -> float32 [n, size, size, 3] in [0, 1]. With
      `captions`, also what `_look_up_captions` returns; with a `noise_size`, `noise`, float32
      [n, noise_size], standard normal.
    """
    shard_size = plan.batch_size // plan.num_replicas
    look_up_captions = _caption_function(captions) if captions else None

    def place(number, update):
        """Position of the first image of a batch, and the place of a shard in it."""
        step, replica = number // plan.num_replicas, number % plan.num_replicas
        return (step * plan.updates_per_step + update) * plan.batch_size, replica * shard_size

    def indices_of(first, stream, images):
        positions = first + tf.range(shard_size, dtype=tf.int64)
        return order.image_indices(positions, images.shape[0], plan.seed, stream)

    def choose(number, update, stream, images):
        """Of one shard: indices of the images, corners of the crops, and variants to take.

        Corners and variants, which are mirrored or not, are None if there are none.
        """
        first, start = place(number, update)
        indices = indices_of(first + start, stream, images)
        corners = variants = None
        # Sampled for the whole batch, so that they do not depend on the number of replicas.
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

    def of_captions(number, update):
        """What belongs to the images of the only stream."""
        with tf.device("CPU:0"):
            first, start = place(number, update)
            (images,) = domains.values()
            numbers = order.random_numbers(first, plan.batch_size, 4, plan.seed)
            found = look_up_captions(
                indices_of(first + start, 0, images), numbers[start : start + shard_size]
            )
            if plan.noise_size:
                noise = order.random_numbers(
                    first, plan.batch_size, plan.noise_size, plan.seed, normal=True
                )
                found["noise"] = noise[start : start + shard_size]
        return found

    def batch(number, update):
        found = {
            key: shard(number, update, stream, images)
            for stream, (key, images) in enumerate(domains.items())
        }
        return found | of_captions(number, update) if captions else found

    def shards(number):
        return tuple(batch(number, update) for update in range(plan.updates_per_step))

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


def _caption_function(captions: Captions) -> Callable:
    """A function that maps indices of images to their captions.

    It takes indices, int64 [m], and numbers, float32 [m, 4] in [0, 1), which decide what is chosen.
    It returns

      text: int32 [m, 99], a caption of each image, as `text.encode` returns it.
      wrong_text: Likewise, of an image of another class (see `Mismatches`).
      class: int32 [m], the class of each image.
    """
    mismatches, most = Mismatches(captions), captions.characters.shape[1]

    def which(numbers):
        return np.minimum((numbers * most).astype(np.int64), most - 1)

    def mismatched(indices, numbers):
        others = mismatches.of(indices, numbers[:, :2])
        return captions.characters[others, which(numbers[:, 3])]

    def choose(indices, numbers):
        own, wrong = captions.characters[indices], mismatched(indices, numbers)
        for attempt in range(1, _REDRAWS + 1):
            # Another class may have the same caption, which then describes this image, too.
            same = (wrong[:, np.newaxis] == own).all(axis=2).any(axis=1)
            if not same.any():
                break
            wrong[same] = mismatched(indices[same], (numbers[same] + attempt * _SHIFT) % 1)
        text = own[np.arange(len(own)), which(numbers[:, 2])]
        return text, wrong, captions.classes[indices]

    def look_up(indices, numbers):
        text, wrong_text, classes = tf.numpy_function(
            choose, [indices, numbers], (tf.int32,) * 3, stateful=False
        )
        shape = (indices.shape[0], captions.characters.shape[2])
        return {
            "text": tf.ensure_shape(text, shape),
            "wrong_text": tf.ensure_shape(wrong_text, shape),
            "class": tf.ensure_shape(classes, shape[:1]),
        }

    return look_up
