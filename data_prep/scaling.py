"""Scaling by area means (box filter), without aliasing, ringing or shift."""

import numpy as np
from PIL import Image


def scale(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [h, w, channels] in 0 .. 255 to uint8 [height, width, channels].

    A side that shrinks is scaled by the area mean, exactly; one that grows, bicubic.
    """
    shrunk = _area_mean(image, min(height, image.shape[0]), min(width, image.shape[1]))
    if shrunk.shape[:2] == (height, width):
        return shrunk
    channels = [
        Image.fromarray(shrunk[..., channel]).resize((width, height), Image.Resampling.BICUBIC)
        for channel in range(shrunk.shape[2])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _area_mean(image: np.ndarray, height: int, width: int) -> np.ndarray:
    h, w, channels = image.shape
    if (h, w) == (height, width):
        return image
    if h % height == 0 and w % width == 0:
        gray_or_color = image[..., 0] if channels == 1 else image
        reduced = Image.fromarray(gray_or_color).reduce((w // width, h // height))
        return np.asarray(reduced).reshape(height, width, channels)
    factor = min(h // (4 * height), w // (4 * width))
    if factor > 1:
        # First reduce large images by an integer factor, to at least four times the target: the
        # cumulative sums of the full image would take gigabytes.
        return _area_mean(np.asarray(Image.fromarray(image).reduce(factor)), height, width)
    rows = _means(image, height)
    columns = _means(rows.transpose(1, 0, 2), width).transpose(1, 0, 2)
    return np.rint(columns).astype(np.uint8)


def _means(pixels: np.ndarray, count: int) -> np.ndarray:
    """float64 [count, ...]: the means of `count` equal intervals of the first axis, [n, ...].

    By differences of cumulative sums, with a fraction of a pixel where an interval ends within it.
    Not by a matrix product: NumPy's use all cores for each image, and many images are in progress
    at once.
    """
    n = len(pixels)
    exact = np.int32 if pixels.dtype == np.uint8 else np.float64
    sums = np.zeros((n + 1, *pixels.shape[1:]), exact)
    np.cumsum(pixels, axis=0, dtype=exact, out=sums[1:])
    ends = np.arange(count + 1) * n / count
    whole = np.minimum(ends.astype(int), n - 1)
    part = (ends - whole).reshape(-1, *[1] * (pixels.ndim - 1))
    return np.diff(sums[whole] + part * pixels[whole], axis=0) * (count / n)
