"""What two images are compared by when a match is sought.

A vector whose Euclidean distance says how alike two images are: the foreground's mean color in
CIELAB, its hues and, with the extra `[features]`, what ImageNet's classes see in it. The weights
were measured by `python -m benchmarks.matching`.
"""

from collections.abc import Callable

import numpy as np

from discogan_tf import images as pixels
from discogan_tf.evaluation.color import foreground_colors, hue_histograms
from discogan_tf.evaluation.efficientnet_lite import create_extractor

# Height and width at which images are compared, in pixels.
SIZE = 64
# A distance of so much in CIELAB counts as much as having no hue in common, times the root of 2.
_COLOR_SCALE = 20.0
_NETWORK_WEIGHT, _COMPONENTS = 0.5, 32
_BATCH_SIZE = 256


class Features:
    """Features of images, fitted to a catalog.

    Args:
      mean: Mean of the catalog's network features, float32 [1280], or None to leave them out.
      components: Their principal components, float32 [1280, 32], or None.

    Raises:
      DataError: if the network's weights are corrupt.
    """

    def __init__(self, mean: np.ndarray | None = None, components: np.ndarray | None = None):
        self.mean, self.components = mean, components
        self._extract = create_extractor() if mean is not None else None

    @property
    def is_usable(self) -> bool:
        """False if the network is needed but not installed."""
        return self.mean is None or self._extract is not None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """float32 [n, d] of uint8 [n, SIZE, SIZE, 3]."""
        network = None if self.mean is None else _in_batches(self._network, images)
        return self.combine(images, network)

    def combine(self, images: np.ndarray, network: np.ndarray | None) -> np.ndarray:
        """As calling it, with the network's features, [n, 1280], if they are known already."""
        colors = _in_batches(_colors, images)
        if self.mean is None:
            return colors.astype(np.float32)
        projected = _normalized(network - self.mean) @ self.components
        return np.concatenate([colors, _NETWORK_WEIGHT * projected], 1).astype(np.float32)

    def _network(self, images: np.ndarray) -> np.ndarray:
        return self._extract(images)[0]


def fit(images: np.ndarray) -> tuple[Features, np.ndarray]:
    """Features fitted to the images of a catalog, and their values for it.

    Args:
      images: uint8 [n, SIZE, SIZE, 3].

    Returns:
      The features, and float32 [n, d].
    """
    extract = create_extractor()
    if extract is None or len(images) < _COMPONENTS:
        features = Features()
        return features, features(images)
    network = _in_batches(lambda some: extract(some)[0], images)
    mean = network.mean(0)
    centered = _normalized(network - mean)
    # Of the covariance, because there may be millions of images.
    _, vectors = np.linalg.eigh(centered.T @ centered)
    features = Features(mean, vectors[:, ::-1][:, :_COMPONENTS].astype(np.float32))
    return features, features.combine(images, network)


def _in_batches(function: Callable, images: np.ndarray) -> np.ndarray:
    """A function of float32 [n, SIZE, SIZE, 3] in [0, 1], applied to any number of uint8 images."""
    starts = range(0, len(images), _BATCH_SIZE)
    batches = (pixels.to_float(images[start : start + _BATCH_SIZE]).numpy() for start in starts)
    return np.concatenate([function(batch) for batch in batches])


def _colors(images: np.ndarray) -> np.ndarray:
    """[n, 16]: the mean color, and the root of each hue's share, as in Hellinger's distance."""
    return np.concatenate(
        [foreground_colors(images) / _COLOR_SCALE, np.sqrt(hue_histograms(images))], 1
    )


def _normalized(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
