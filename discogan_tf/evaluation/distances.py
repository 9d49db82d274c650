"""Distances between images that several metrics use."""

import numpy as np

# Rows compared at once; as float64, 1,024 images of 64 pixels are 100 MB.
_CHUNK = 1024
# A smaller mean square difference is what rounding leaves of none.
_ROUNDING = 1e-12


def pairwise(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Root mean square difference of each image of `one` to each of `other`, float32 [n, m].

    Args:
      one, other: float32 [n, size, size, 3] and [m, size, size, 3] in [0, 1], or features.
    """
    one = one.reshape(len(one), -1).astype(np.float64)
    squares = _squares(one)[:, None]
    columns = []
    for start in range(0, len(other), _CHUNK):
        chunk = other[start : start + _CHUNK].reshape(-1, one.shape[1]).astype(np.float64)
        columns.append(squares + _squares(chunk) - 2 * one @ chunk.T)
    mean_squares = np.concatenate(columns, axis=1) / one.shape[1]
    mean_squares[mean_squares < _ROUNDING] = 0
    return np.sqrt(mean_squares).astype(np.float32)


def _squares(rows: np.ndarray) -> np.ndarray:
    """The sum of squares of each row, without a copy of all."""
    return np.einsum("ij,ij->i", rows, rows)


def to_nearest_other(images: np.ndarray) -> np.ndarray:
    """Distance of each image to the nearest of the others, float32 [n]."""
    distances = pairwise(images, images)
    np.fill_diagonal(distances, np.inf)
    return distances.min(1)
