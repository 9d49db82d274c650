"""Distances between images that several metrics use."""

import numpy as np

# Rows compared at once; 2,048 images of 64 pixels are 200 MB.
_CHUNK = 2048
# A smaller mean square difference is what rounding leaves of none.
_ROUNDING = 1e-12


def pairwise(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Root mean square difference of each image of `one` to each of `other`, float32 [n, m].

    Args:
      one, other: float32 [n, size, size, 3] and [m, size, size, 3] in [0, 1], or features.
    """
    one = one.reshape(len(one), -1).astype(np.float64)
    squares = np.square(one).sum(1)[:, None]
    columns = []
    for start in range(0, len(other), _CHUNK):
        chunk = other[start : start + _CHUNK].reshape(-1, one.shape[1]).astype(np.float64)
        columns.append(squares + np.square(chunk).sum(1) - 2 * one @ chunk.T)
    mean_squares = np.concatenate(columns, axis=1) / one.shape[1]
    mean_squares[mean_squares < _ROUNDING] = 0
    return np.sqrt(mean_squares).astype(np.float32)


def to_nearest_other(images: np.ndarray) -> np.ndarray:
    """Distance of each image to the nearest of the others, float32 [n]."""
    distances = pairwise(images, images)
    np.fill_diagonal(distances, np.inf)
    return distances.min(1)
