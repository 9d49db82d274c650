"""Images for tests of metrics: discs."""

import dataclasses

import numpy as np

from discogan_tf import images as pixels


def discs(count, seed, size=32):
    """Colored discs of several sizes on white, of 8 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    radius = rng.uniform(0.15, 0.45, (count, 1, 1))
    inside = (np.hypot(x, y) < radius)[..., None]
    colors = rng.uniform(0, 0.8, (count, 1, 1, 3))
    return pixels.to_float(pixels.to_uint8(np.where(inside, colors, 1.0))).numpy()


def with_outputs(batch, outputs):
    return dataclasses.replace(batch, outputs=outputs, unrounded=outputs)
