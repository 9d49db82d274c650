"""Cycle consistency: how close the reconstruction is to the input."""

import numpy as np
import tensorflow as tf

from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.evaluation.translations import EvalBatch


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Mean squared error, signal-to-noise ratio in dB, structural similarity (Wang et al. 2004)."""
    if batch.inverse is None:
        return {}
    reconstructed = batch.inverse(batch.outputs)
    errors = np.square(reconstructed - batch.inputs).mean((1, 2, 3))
    # An image reconstructed to the last bit would have an infinite ratio.
    ratios = -10 * np.log10(np.maximum(errors, 1e-10))
    similarities = tf.image.ssim(
        tf.constant(batch.inputs), tf.constant(reconstructed), max_val=1.0
    ).numpy()
    return {
        "reconstruction_mse": mean_of(errors, resamples),
        "reconstruction_psnr": mean_of(ratios, resamples, better="higher"),
        "reconstruction_ssim": mean_of(similarities, resamples, better="higher"),
    }
