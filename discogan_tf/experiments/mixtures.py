"""Mixtures of Gaussians in the plane, and how a translation maps their modes."""

import dataclasses

import numpy as np
import tensorflow as tf

# Standard deviation of a mode. A point belongs to the nearest mode within four of these.
SIGMA = 0.1
_REACH = 4 * SIGMA
# A mode of the target is covered from this share of the translated points on: a tenth of an even
# share.
_MIN_SHARE = 0.01


def circle(modes: int, radius: float = 2.0) -> np.ndarray:
    """Centers of modes evenly spaced on a circle: float32 [modes, 2]."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def batches(centers: dict[str, np.ndarray], batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless batches for the step: tuples of one {"a", "b"}, float32 [batch, 2] each."""

    def batch(number):
        found = {}
        for stream, (domain, domain_centers) in enumerate(centers.items()):
            keys = tf.constant([4 * seed + 2 * stream, 4 * seed + 2 * stream + 1], tf.int64)
            of_modes, of_noise = (tf.stack([keys[i], number]) for i in range(2))
            modes = tf.random.stateless_uniform(
                [batch_size], of_modes, 0, len(domain_centers), tf.int32
            )
            noise = tf.random.stateless_normal([batch_size, 2], of_noise, stddev=SIGMA)
            found[domain] = tf.gather(domain_centers, modes) + noise
        return (found,)

    return tf.data.Dataset.range(1 << 62).map(batch).prefetch(4)


def sample(centers: np.ndarray, per_mode: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points, float32 [modes * per_mode, 2], and the mode of each."""
    modes = np.repeat(np.arange(len(centers)), per_mode)
    noise = np.random.default_rng(seed).normal(0, SIGMA, (len(modes), 2))
    return (centers[modes] + noise).astype(np.float32), modes


@dataclasses.dataclass(frozen=True)
class Mapping:
    """How a translation maps modes.

    Attributes:
      covered: Number of target modes that get at least one in a hundred of the translated points.
      shared: Number of source modes that are mapped mostly to a target mode of another source mode.
      one_to_one: Whether there are none, and all are mapped to some mode.
      on_modes: Share of translated points that belong to any target mode.
    """

    covered: int
    shared: int
    one_to_one: bool
    on_modes: float


def mapping(translated: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> Mapping:
    """How a translation maps modes, counted.

    Args:
      translated: Translated points, float [n, 2].
      sources: Source mode of each point, int [n].
      targets: Centers of the target modes, [modes, 2].
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
        covered=int((counts >= _MIN_SHARE * len(translated)).sum()),
        shared=shared,
        one_to_one=shared == 0 and -1 not in main,
        on_modes=float((nearest >= 0).mean()),
    )
