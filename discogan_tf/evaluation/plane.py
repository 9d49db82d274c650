"""The plane of realism against color cost, with reference points.

Either number alone rewards a wrong translation: realism rewards real images that have nothing to do
with the input, and a low cost rewards the input itself (Asadulaev et al. 2024, arXiv 2301.12874,
report both for the same reason).
"""

from typing import NamedTuple

import numpy as np

from discogan_tf.data.domains import evenly_spaced
from discogan_tf.evaluation import color, sliced_wasserstein
from discogan_tf.evaluation.efficientnet_lite import Extractor
from discogan_tf.evaluation.features import kernel_distance
from discogan_tf.evaluation.translations import EvalBatch


class Point(NamedTuple):
    """One set of translations.

    Attributes:
      color_cost: Mean distance of the colors of input and translation in CIELAB.
      distance: Of the translations to real images.
    """

    color_cost: float
    distance: float


def distance_name(extract: Extractor | None) -> str:
    """Name of the metric that the plane uses as distance."""
    return "kernel_lite0" if extract else "sliced_wasserstein"


def points(batches: dict[str, EvalBatch], extract: Extractor | None) -> dict[str, Point]:
    """Label -> point, of the translations of several runs and of three references.

    The references need no model: the inputs untranslated, real images in random order, and the
    real images whose colors are nearest to those of the inputs, each taken once if they suffice.

    Args:
      batches: Name of each run -> its images of one direction, with the same inputs.
      extract: The result of `efficientnet_lite.create_extractor`; None without its weights.
    """
    first = next(iter(batches.values()))
    inputs, training = color.foreground_colors(first.inputs), first.training
    colors = color.foreground_colors(training)
    shuffled = np.random.default_rng(0).permutation(len(training))[: len(inputs)]
    assigned, _ = color.best_assignment(inputs, colors)
    everything = np.arange(len(inputs))
    # Images, and the inputs that they belong to.
    sets = {name: (batch.outputs, everything) for name, batch in batches.items()} | {
        "untranslated": (first.inputs, everything),
        "real, shuffled": (training[shuffled], everything[: len(shuffled)]),
        "real, best assignment": (training[assigned], everything),
    }
    targets = extract(first.targets)[0] if extract else first.targets

    def distance(images):
        if extract:
            return 1000 * kernel_distance(extract(images)[0], targets)
        count = min(len(images), len(targets))
        sets = evenly_spaced(images, count), evenly_spaced(targets, count)
        return float(np.mean(list(sliced_wasserstein.distances(*sets).values())))

    def cost(images, of):
        difference = color.foreground_colors(images) - inputs[of]
        return float(np.linalg.norm(difference, axis=1).mean())

    return {name: Point(cost(images, of), distance(images)) for name, (images, of) in sets.items()}
