"""The validation images with the best and the worst translations."""

import numpy as np

from discogan_tf import images as pixels
from discogan_tf.evaluation.color import foreground_colors
from discogan_tf.evaluation.translations import EvalBatch


def best_and_worst(batch: EvalBatch, count: int = 6) -> dict[str, np.ndarray]:
    """Measure -> grid of the `count` best and worst images, uint8 [height, width, 3].

    Measures are the distance between the mean foreground colors of an image and its translation in
    CIELAB, and the mean squared reconstruction error. Empty without input images.
    """
    if batch.inputs is None:
        return {}
    colors = foreground_colors(batch.inputs) - foreground_colors(batch.outputs)
    found = {"color distance": np.sqrt(np.square(colors).sum(1))}
    rows = {"input": batch.inputs, "translation": batch.outputs}
    if batch.inverse is not None:
        reconstructed = batch.inverse(batch.outputs)
        found["reconstruction"] = np.square(reconstructed - batch.inputs).mean((1, 2, 3))
        rows["reconstruction"] = reconstructed
    grids = {}
    for measure, errors in found.items():
        order = np.argsort(errors)
        count = min(count, len(order))
        chosen = {"best": order[:count], "worst": order[::-1][:count]}
        grids[measure] = pixels.draw_grid(
            {
                f"{which}: {row}": images[indices]
                for which, indices in chosen.items()
                for row, images in rows.items()
            }
        )
    return grids
