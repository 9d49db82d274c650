"""Numerical parity of an export with the trained network, in every way to run it."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from tensorflow.python.tools import saved_model_utils

from discogan_tf.errors import ExportError
from discogan_tf.export import c_api
from discogan_tf.export.versions import Version
from discogan_tf.hardware import inference_batch_size
from discogan_tf.models.contract import SERVING_DEFAULT, TRANSLATED, Signature
from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.normalization import InstanceNorm
from discogan_tf.networks.statistics import has_statistics

# The same float32 arithmetic, perhaps in another order; a step of 8 bits is 400 times that.
TOLERANCE = 1e-5
# Folding rounds the weights again, which matters more in networks with large ones.
FOLDING_TOLERANCE = 1e-4
# Other runtimes round elsewhere.
FORMAT_TOLERANCE = 1e-4
# Instance norm magnifies that where a channel is nearly flat: by up to 8e-4 in trained networks,
# where changing the input by 1e-6 changes the result by 2e-4. It is half a step of 8 bits.
INSTANCE_NORM_FORMAT_TOLERANCE = 2e-3
_FEW = 7
FOLDING = "batch norm folded, against the network as it was trained"

# Inputs of a generator by name, each [n, ...].
Inputs = dict[str, np.ndarray]


def check_parity(
    network: keras.Model, folded: Signature, version: Version, inputs: Inputs
) -> dict[str, float]:
    """Compares a SavedModel with the network it was made of.

    Args:
      network: The generator as it was trained.
      folded: Its translation with batch norm folded, which the SavedModel holds.
      version: The SavedModel.
      inputs: Validation data, such as images, float32 [n, size, size, 3] in [0, 1].

    Returns:
      What was compared -> the largest absolute difference, in [0, 1].

    Raises:
      ExportError: if one is larger than rounding.
    """
    in_memory = folded.function(*inputs.values())[TRANSLATED].numpy()
    trained = network(*inputs.values()).numpy()
    differences = require_small({FOLDING: _largest(in_memory, trained)}, FOLDING_TOLERANCE)

    def run(some: Inputs) -> np.ndarray:
        return version.run(SERVING_DEFAULT, some)[TRANSLATED]

    ways = {
        "SavedModel in TensorFlow's Python, against the network in memory": run(inputs),
        "SavedModel in TensorFlow's C API, against the network in memory": run_c_api(
            version.folder, inputs
        ),
    }
    differences |= require_small({name: _largest(out, in_memory) for name, out in ways.items()})
    alone = in_batches(run, inputs, 1)
    batches = {
        f"examples in batches of {size}, against each alone": in_batches(run, inputs, size)
        for size in (_FEW, inference_batch_size(in_memory.shape[1]))
    }
    return differences | require_small({k: _largest(out, alone) for k, out in batches.items()})


def run_c_api(folder: Path, inputs: Inputs) -> np.ndarray:
    """The default signature of a SavedModel, run without TensorFlow's Python."""
    graph = saved_model_utils.get_meta_graph_def(str(folder), "serve")
    definition = graph.signature_def[SERVING_DEFAULT]
    feeds = {definition.inputs[name].name: np.asarray(value) for name, value in inputs.items()}
    return c_api.run(folder, feeds, [definition.outputs[TRANSLATED].name])[0]


def in_batches(run: Callable[[Inputs], np.ndarray], inputs: Inputs, size: int) -> np.ndarray:
    """`run` on batches of `size` examples; if there are fewer examples, they are repeated."""
    count = len(next(iter(inputs.values())))
    repeats = -(-size // count)
    repeated = {name: np.concatenate([value] * repeats) for name, value in inputs.items()}
    outputs = [
        run({name: value[start : start + size] for name, value in repeated.items()})
        for start in range(0, repeats * count, size)
    ]
    return np.concatenate(outputs)[:count]


def require_small(differences: dict[str, float], tolerance: float = TOLERANCE) -> dict[str, float]:
    """Returns `differences` if all are within `tolerance`.

    Raises:
      ExportError: naming those that are not.
    """
    # Written so that NaN does not pass.
    excessive = [
        f"{name}: {value:.1e}" for name, value in differences.items() if not value <= tolerance
    ]
    if excessive:
        raise ExportError(
            "the export was aborted, because these differences exceed the tolerance of "
            f"{tolerance}:"
            "\n  " + "\n  ".join(excessive)
        )
    return differences


def format_tolerance(network: keras.Model) -> float:
    """How much translations by other runtimes than TensorFlow may differ, in [0, 1]."""
    layers = named_layers(network).values()
    magnified = any(isinstance(layer, InstanceNorm) for layer in layers)
    return INSTANCE_NORM_FORMAT_TOLERANCE if magnified else FORMAT_TOLERANCE


def statistics_gap(network: keras.Model, inputs: Inputs) -> float | None:
    """How much translations change if batch norm uses the statistics of this batch.

    Returns:
      Mean absolute difference, in [0, 1], from translations with the re-estimated statistics. None
      if the network has none.
    """
    if not has_statistics(network):
        return None
    in_training = network(*inputs.values(), training=True).numpy()
    return float(np.abs(in_training - network(*inputs.values()).numpy()).mean())


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())
