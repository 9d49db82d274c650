"""The validation pictures that went best and worst."""

import numpy as np

from discogan_tf import images
from discogan_tf.evaluation.relation import foreground_colours
from discogan_tf.evaluation.view import View


def best_and_worst(view: View, count: int = 6) -> dict[str, np.ndarray]:
    """What is measured -> a sheet of the best `count` pictures and the worst, uint8 [height, width, 3].

    Measured are the distance between the colours of a picture and of its translation, in CIELAB
    (mean over the foreground), and the mean squared error of its way there and back.
    """
    colours = foreground_colours(view.inputs) - foreground_colours(view.outputs)
    found = {"colour carried over": np.sqrt(np.square(colours).sum(1))}
    rows = {"input": view.inputs, "output": view.outputs}
    if view.back is not None:
        back = view.back(view.outputs)
        found["reconstruction"] = np.square(back - view.inputs).mean((1, 2, 3))
        rows["and back"] = back
    sheets = {}
    for measured, errors in found.items():
        order = np.argsort(errors)
        count = min(count, len(order))
        chosen = {"best": order[:count], "worst": order[::-1][:count]}
        sheets[measured] = images.draw_sheet(
            {
                f"{which}: {row}": pictures[places]
                for which, places in chosen.items()
                for row, pictures in rows.items()
            }
        )
    return sheets
