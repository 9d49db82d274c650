"""Whether an export gives what training showed: the same pictures every way there is to run it."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from tensorflow.python.tools import saved_model_utils

from discogan_tf.errors import ExportError
from discogan_tf.models.signature import Signature
from discogan_tf.serving import c_api
from discogan_tf.serving.endpoints import DEFAULT
from discogan_tf.serving.versions import Version

# The same float32 arithmetic, perhaps in another order; a step of 8 bits is 400 times that.
TOLERANCE = 1e-5
# Folding rounds the weights anew, which counts for more in networks with large ones.
FOLDING_TOLERANCE = 1e-4
_BATCH_SIZES = (7, 64)
FOLDING = "batch norm folded, against the network as it was trained"


def check_parity(
    network: keras.Model, folded: Signature, version: Version, pictures: np.ndarray
) -> dict[str, float]:
    """Compares a SavedModel with the network it was made of.

    Args:
      network: The generator as it was trained.
      folded: Its translation with batch norm folded, which the SavedModel holds.
      version: The SavedModel.
      pictures: Validation pictures, float32 [n, size, size, 3] in [0, 1].

    Returns:
      What was compared -> the largest absolute difference, in [0, 1].

    Raises:
      ExportError: if one is larger than rounding.
    """
    run = lambda images: version.run(DEFAULT, {"images": images})["translated"]  # noqa: E731
    in_memory, exported = folded.function(pictures)["translated"].numpy(), run(pictures)
    differences = hold(
        {FOLDING: _largest(in_memory, network(pictures).numpy())}, tolerance=FOLDING_TOLERANCE
    )
    others = {
        "SavedModel in TensorFlow's Python, against the network in memory": exported,
        "SavedModel in TensorFlow's C API, against the network in memory": run_c_api(
            version.folder, pictures
        ),
    }
    differences |= hold({name: _largest(answer, in_memory) for name, answer in others.items()})
    alone = in_batches(run, pictures, 1)
    batches = {
        f"pictures in batches of {size}, against each alone": in_batches(run, pictures, size)
        for size in _BATCH_SIZES
    }
    return differences | hold({name: _largest(answer, alone) for name, answer in batches.items()})


def run_c_api(folder: Path, pictures: np.ndarray) -> np.ndarray:
    """The default signature of a SavedModel on `pictures`, without TensorFlow's Python."""
    definition = saved_model_utils.get_meta_graph_def(str(folder), "serve").signature_def[DEFAULT]
    feeds = {definition.inputs["images"].name: pictures}
    return c_api.run(folder, feeds, [definition.outputs["translated"].name])[0]


def in_batches(run: Callable, pictures: np.ndarray, size: int) -> np.ndarray:
    """`run` on pieces of `size` pictures; where there are fewer pictures, they are repeated."""
    repeated = np.concatenate([pictures] * -(-size // len(pictures)))
    pieces = [run(repeated[start : start + size]) for start in range(0, len(repeated), size)]
    return np.concatenate(pieces)[: len(pictures)]


def hold(differences: dict[str, float], tolerance: float = TOLERANCE) -> dict[str, float]:
    """Gives `differences` back if all are within `tolerance`.

    Raises:
      ExportError: naming those that are not.
    """
    # Asked this way round, NaN does not pass.
    excessive = [f"{name}: {value:.1e}" for name, value in differences.items() if not value <= tolerance]
    if excessive:
        raise ExportError(f"differences larger than {tolerance}, no export:\n  " + "\n  ".join(excessive))
    return differences


def statistics_gap(network: keras.Model, pictures: np.ndarray) -> float:
    """How far translations move if batch norm uses the statistics of this one batch of validation
    pictures, as training does, instead of those recomputed from training pictures.

    Returns:
      Mean absolute difference, in [0, 1].
    """
    return float(np.abs(network(pictures, training=True).numpy() - network(pictures).numpy()).mean())


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())
