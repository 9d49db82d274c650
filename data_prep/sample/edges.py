"""The edge half of a pair: black lines on white where an image's colors change."""

import numpy as np

# Steepest change of a channel, of 255 a pixel, under which there is no line.
_THRESHOLD = 14.0


def draw_edges(image: np.ndarray) -> np.ndarray:
    """Thin dark lines on white along the edges of an image.

    Differences of neighbors in the channel that changes most. Only ridges of these are kept, as by
    Canny (1986), so that a line is one or two pixels wide however soft the edge.

    Args:
      image: uint8 [height, width, 3].

    Returns:
      uint8 [height, width, 3], gray.
    """
    padded = np.pad(image.astype(np.float32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    strongest = (across**2 + down**2).argmax(-1)[..., None]
    across = np.take_along_axis(across, strongest, -1)[..., 0]
    down = np.take_along_axis(down, strongest, -1)[..., 0]
    steepness = np.hypot(across, down)
    around = np.pad(steepness, 1)
    flat = np.abs(across) > np.abs(down)  # The edge runs up and down, so compare left and right.
    before = np.where(flat, around[1:-1, :-2], around[:-2, 1:-1])
    after = np.where(flat, around[1:-1, 2:], around[2:, 1:-1])
    ridge = (steepness >= before) & (steepness > after) & (steepness > _THRESHOLD)
    darkness = np.where(ridge, np.clip(steepness / 40, 0.5, 1), 0)
    return np.repeat((255 * (1 - darkness)).astype(np.uint8)[..., None], 3, axis=-1)
