"""Whether outputs are training pictures learned by heart."""

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.view import View


def measure(view: View, resamples: int) -> dict[str, Measurement]:
    """Median distance of an output to its nearest training picture over that of held-out real ones.

    Well below 1, outputs are nearer to training pictures than real ones are: learned by heart. Far
    above 1 they are like no real picture.
    """
    outputs = pairwise(view.outputs, view.training).min(1)
    real = float(np.median(pairwise(view.targets, view.training).min(1)))
    if real == 0:  # The pictures to compare with are training pictures themselves.
        return {}
    low, high = bootstrap_interval(
        lambda drawn: float(np.median(outputs[drawn])) / real, len(outputs), resamples
    )
    value = float(np.median(outputs)) / real
    return {"nearest_training": Measurement(value, len(outputs), low, high, floor=1.0, better="")}
