"""Mixtures of Gaussians in the plane, and what a translation makes of their modes."""

import dataclasses

import numpy as np
import tensorflow as tf

# Deviation of a mode. A point belongs to the nearest mode if it is no further away than four of these.
SIGMA = 0.1
_REACH = 4 * SIGMA
# A mode of the target is covered from this share of the translated points on: a tenth of an even tenth.
_LEAST = 0.01


def circle(modes: int, radius: float = 2.0) -> np.ndarray:
    """Centres of modes evenly spaced on a circle: float32 [modes, 2]."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def batches(centres: dict[str, np.ndarray], batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless batches as the step takes them: tuples of one {"a", "b"}, float32 [batch, 2] each."""

    def batch(number):
        found = {}
        for stream, (domain, of_domain) in enumerate(centres.items()):
            keys = tf.constant([4 * seed + 2 * stream, 4 * seed + 2 * stream + 1], tf.int64)
            of_modes, of_noise = (tf.stack([keys[i], number]) for i in range(2))
            modes = tf.random.stateless_uniform([batch_size], of_modes, 0, len(of_domain), tf.int32)
            noise = tf.random.stateless_normal([batch_size, 2], of_noise, stddev=SIGMA)
            found[domain] = tf.gather(of_domain, modes) + noise
        return (found,)

    return tf.data.Dataset.range(1 << 62).map(batch).prefetch(4)


def draw(centres: np.ndarray, of_each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points, float32 [modes * of_each, 2], and the mode of each."""
    modes = np.repeat(np.arange(len(centres)), of_each)
    noise = np.random.default_rng(seed).normal(0, SIGMA, (len(modes), 2))
    return (centres[modes] + noise).astype(np.float32), modes


@dataclasses.dataclass(frozen=True)
class Mapping:
    """What a translation does to modes.

    Attributes:
      covered: How many modes of the target at least one in a hundred of the translated points hit.
      shared: How many modes of the source go mostly where another mode of the source goes, too.
      one_to_one: Whether no two do, and all go somewhere.
      on_modes: Share of translated points that lie on any mode of the target.
    """

    covered: int
    shared: int
    one_to_one: bool
    on_modes: float


def mapping(translated: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> Mapping:
    """Counts modes.

    Args:
      translated: float [n, 2].
      sources: The mode of the source that each is a translation of, int [n].
      targets: Centres of the target's modes, [modes, 2].
    """
    distances = np.linalg.norm(translated[:, np.newaxis] - targets, axis=2)
    nearest = np.where(distances.min(1) <= _REACH, distances.argmin(1), -1)
    counts = np.bincount(nearest[nearest >= 0], minlength=len(targets))
    main = []
    for source in np.unique(sources):
        hits = nearest[(sources == source) & (nearest >= 0)]
        main.append(int(np.bincount(hits).argmax()) if len(hits) else -1)
    shared = sum(place >= 0 and main.count(place) > 1 for place in main)
    return Mapping(
        covered=int((counts >= _LEAST * len(translated)).sum()),
        shared=shared,
        one_to_one=shared == 0 and -1 not in main,
        on_modes=float((nearest >= 0).mean()),
    )
