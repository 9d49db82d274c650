"""Realism that sees content: metrics on the features of EfficientNet-Lite0.

Sliced Wasserstein distance sees sharpness and texture, but hardly what an image shows. A network
trained on ImageNet does. These numbers are not FID or KID, which use another network: compare them
only with each other. They exist where the extra `[features]` is installed.
"""

import numpy as np

from discogan_tf.data.domains import evenly_spaced
from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.efficientnet_lite import Extractor
from discogan_tf.evaluation.features import frechet_distance, kernel_distance
from discogan_tf.evaluation.measurement import Measurement, mean_of, spread_interval
from discogan_tf.evaluation.retrieval import ranks_of_ground_truth
from discogan_tf.evaluation.translations import EvalBatch

# Principal components of which the Fréchet distance is taken: a covariance of all 1,280 features
# would need thousands of images.
_COMPONENTS = 64
# With fewer images the distances between sets of real images vary much.
_ENOUGH = 300
_RESAMPLES = 20


def measure(batch: EvalBatch, resamples: int, extract: Extractor) -> dict[str, Measurement]:
    """Distances of the translations to real images, retrieval, and what the translations show.

    - `kernel_lite0`: kernel distance (Binkowski et al. 2018), times 1,000.
    - `frechet_lite0`: Fréchet distance in the first 64 principal components of real images.
    - `target_share`: share of translations that are taken for the target's kind: whose most likely
      ImageNet class is more frequent among real images of the target than of the source. The
      reference is the share of real targets.
    - `retrieval_lite0_top_1`: retrieval of the ground truth by features, if pairs are known.

    Args:
      batch: The images of one direction.
      resamples: Samples for each bootstrap interval; 0 for none.
      extract: The result of `efficientnet_lite.create_extractor`.
    """
    outputs, output_classes = extract(batch.outputs)
    targets, target_classes = extract(batch.targets)
    others, other_classes = extract(
        evenly_spaced(batch.training, len(batch.outputs))
        if batch.other_real is None
        else batch.other_real
    )
    count = min(len(outputs), len(targets))
    few = "" if count >= _ENOUGH else f"uncertain with fewer than {_ENOUGH} images"

    def distance_of(distance, outputs, targets, others) -> Measurement:
        value = distance(outputs, targets)
        low, high = spread_interval(
            value,
            lambda sample: distance(outputs[sample], targets),
            len(outputs),
            min(resamples, _RESAMPLES),
        )
        reference = None if batch.other_real is None else distance(others, targets)
        return Measurement(value, count, low, high, reference, "lower", few)

    project = _principal_components(others)
    found = {
        "kernel_lite0": distance_of(
            lambda one, other: 1000 * kernel_distance(one, other), outputs, targets, others
        ),
        "frechet_lite0": distance_of(
            frechet_distance, project(outputs), project(targets), project(others)
        ),
    }
    if batch.inputs is not None:
        input_classes = extract(batch.inputs)[1]
        is_target = other_classes.mean(0) > input_classes.mean(0)

        def share(classes):
            return is_target[classes.argmax(1)].astype(np.float64)

        found["target_share"] = mean_of(
            share(output_classes),
            resamples,
            reference=float(share(target_classes).mean()),
            better="higher",
            note=f"{share(input_classes).mean():.2f} of the untranslated inputs",
        )
    if batch.pairs is not None:
        ranks = ranks_of_ground_truth(pairwise(outputs, targets), batch.pairs)
        found["retrieval_lite0_top_1"] = mean_of(
            (ranks < 1).astype(np.float64), resamples, reference=1 / len(targets), better="higher"
        )
    return found


def _principal_components(features: np.ndarray):
    """A function that projects features on the first principal components of these, [n, d]."""
    mean = features.mean(0)
    directions = np.linalg.svd(features - mean, full_matrices=False)[2][:_COMPONENTS]
    return lambda some: (some - mean) @ directions.T
