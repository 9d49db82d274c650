"""Checks for NaN and infinity, and the list of skipped batches."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf.errors import NonFiniteLossError
from discogan_tf.runs.manifest import write_durably
from discogan_tf.training.train_loop import StepMetrics

# A run that breaks more often has another problem than an unlucky batch.
MAX_ROLLBACKS = 3
_SKIPPED = "skipped_steps.json"
_NEW_RUN = "start a run in a new --workdir with a lower --learning_rate or with --precision=float32"
_REMEDY = (
    "Nothing after the last checkpoint was saved. Run the same command to resume from it. If the "
    f"same happens again, --on_nonfinite=rollback leaves that batch out; or {_NEW_RUN}"
)


def read_losses(unread: list[StepMetrics], model) -> dict[str, float]:
    """The last of some steps' losses as numbers, after a check of all of them.

    The sum of each discriminator's losses joins them, for its curve.

    Args:
      unread: Metrics of one call or more.
      model: A model of `MODELS`.

    Raises:
      NonFiniteLossError: if a loss or gradient is not finite. The message names the first such step
        and the values.
    """
    for first_step, names, metrics in unread:
        values = metrics.numpy()
        broken = ~np.isfinite(values)
        if broken.any():
            index = int(broken.any(1).argmax())
            which = ", ".join(name for name, bad in zip(names, broken[index], strict=True) if bad)
            step = first_step + index
            raise NonFiniteLossError(
                f"at step {step} these are not finite: {which}. {_REMEDY}", step
            )
    losses = dict(zip(names, values[-1].tolist(), strict=True))
    for domain in model.discriminators:
        prefix = f"discriminator_{domain}_"
        parts = [value for name, value in losses.items() if name.startswith(prefix)]
        losses[prefix.rstrip("_")] = sum(parts)
    return losses


def require_finite_weights(networks: list, step: int) -> None:
    """Raises an error if the last update made weights non-finite, before they are saved or shown.

    Raises:
      NonFiniteLossError: naming the networks.
    """
    broken = [
        network.name
        for network in networks
        if not all(tf.reduce_all(tf.math.is_finite(v.value)) for v in network.variables)
    ]
    if broken:
        raise NonFiniteLossError(
            f"after step {step} weights of {', '.join(broken)} are not finite. {_REMEDY}", step
        )


def after_rollbacks(error: NonFiniteLossError) -> NonFiniteLossError:
    """The error of a run that has left out as many batches as it may."""
    reason = str(error).partition(f". {_REMEDY}")[0]
    return NonFiniteLossError(
        f"{reason}. {MAX_ROLLBACKS} batches were left out before, so it is no accident: {_NEW_RUN}",
        error.step,
    )


def read_skipped(workdir: Path) -> set[int]:
    """The steps whose batches a run leaves out, after rollbacks."""
    path = workdir / _SKIPPED
    return set(json.loads(path.read_text())) if path.is_file() else set()


def write_skipped(workdir: Path, steps: set[int]) -> None:
    """Records them, so that a resumed run leaves out the same."""
    write_durably(workdir / _SKIPPED, json.dumps(sorted(steps)) + "\n")
