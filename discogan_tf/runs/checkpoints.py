"""Checkpoints of a run: what they hold, and how runs and generators are restored from them."""

import contextlib
import json
import math
from pathlib import Path

import tensorflow as tf

from discogan_tf.config import BEST, LAST
from discogan_tf.errors import CheckpointError
from discogan_tf.runs.manifest import (
    complete_steps,
    find_corruption,
    remove,
    remove_all_but,
    remove_manifest,
    write_durably,
    write_manifest,
)

# Name within a checkpoint of the exponential moving average of the generators.
_EMA = "ema"
# Name of the best checkpoint by the mean score of all directions.
_MEAN = "mean"


class Checkpoints:
    """The checkpoints of a run: networks with statistics, model state, optimizers, step.

    Each is `step-N` with a manifest (see `manifest.py`): a crash at any moment leaves the one
    before, and one that became corrupt later is detected and skipped.

    Args:
      folder: Where they are.
      model: A model of `MODELS`.
      optimizers: Optimizer of each side, as returned by `create_optimizers`.
      keep: How many of the last to keep.
      ema_model: The model that holds the EMA of the generators of `model`, if there is one.
    """

    def __init__(self, folder: Path, model, optimizers: dict, keep: int, ema_model=None):
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        optional = {"state": dict(model.state)} if model.state else {}
        if ema_model:
            optional[_EMA] = _by_path(ema_model.generators)
        self._checkpoint = tf.train.Checkpoint(
            generators=_by_path(model.generators),
            discriminators=_by_path(model.discriminators),
            optimizers=_by_path(optimizers),
            step=self.step,
            **optional,
        )
        self._folder, self._keep = folder, keep

    def restore_last(self) -> int | None:
        """Restores the last complete checkpoint.

        Returns:
          Its step, or None if there is no checkpoint at all.

        Raises:
          CheckpointError: if there are checkpoints but none can be read.
        """
        path = last_checkpoint(self._folder, required=False)
        if path is None:
            return None
        _restore(self._checkpoint, path)
        return int(self.step.numpy())  # int() alone fails on several replicas.

    def save(self, step: int) -> None:
        """Writes a checkpoint after `step` completed steps.

        Raises:
          CheckpointError: if the disk cannot be written. Earlier checkpoints are unchanged.
        """
        self.step.assign(step)
        prefix = self._folder / f"step-{step}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            remove_manifest(prefix)
            self._checkpoint.write(str(prefix))
            write_manifest(prefix)
        except (OSError, tf.errors.OpError) as error:
            with contextlib.suppress(OSError):
                self.remove_leftovers()
            reason = str(error).partition("\n")[0]
            raise CheckpointError(
                f"Could not save the checkpoint at step {step}: {reason}"
            ) from error
        # Later ones are corrupt: the run resumed before them.
        steps = complete_steps(self._folder)
        kept = [other for other in steps if other <= step][: self._keep]
        for other in set(steps).difference(kept):
            remove(self._folder / f"step-{other}")

    def size_of_last(self) -> int:
        """Bytes on disk of the last complete checkpoint."""
        step = complete_steps(self._folder)[0]
        return sum(path.stat().st_size for path in self._folder.glob(f"step-{step}.*"))

    def remove_leftovers(self) -> None:
        """Removes what a crash while saving left: all incomplete files, if any are complete."""
        if complete := complete_steps(self._folder):
            remove_all_but(self._folder, complete)


class BestCheckpoints:
    """The generators with the best validation scores so far, kept apart from the last checkpoints.

    `WORKDIR/best/NAME/` holds one checkpoint for each direction's own score and one, `mean`, for
    the mean of all; `best.json` has the step and the score of each. Lower is better.

    Args:
      workdir: Folder of the run.
      model: The model whose generators are evaluated.
    """

    def __init__(self, workdir: Path, model):
        self._folder = workdir / BEST
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(
            generators=_by_path(model.generators), step=self._step
        )
        # After a crash, it may be of a later step than the resumed run. It stays valid.
        self._record = _read_best(workdir)

    def update(self, step: int, scores: dict[str, float]) -> list[str]:
        """Saves the current generators under every name for which they are the best so far.

        Args:
          step: Their step.
          scores: Name of each direction -> its score.

        Returns:
          Those names, as `restore_generators` takes them.
        """
        scores = scores | {_MEAN: sum(scores.values()) / len(scores)}
        better = [
            name
            for name, score in scores.items()
            if math.isfinite(score) and score < self._record.get(name, {"score": math.inf})["score"]
        ]
        self._step.assign(step)
        for name in better:
            prefix = self._folder / name / f"step-{step}"
            remove_manifest(prefix)
            self._checkpoint.write(str(prefix))
            write_manifest(prefix)
            self._record[name] = {"step": step, "score": scores[name]}
        if better:
            write_durably(self._folder / "best.json", json.dumps(self._record, indent=1) + "\n")
            for name in better:
                remove_all_but(self._folder / name, [step])
        return [_option(name) for name in better]


def _option(name: str) -> str:
    """Name of a best checkpoint on the command line."""
    return BEST if name == _MEAN else f"{BEST}_{name}"


def _read_best(workdir: Path) -> dict[str, dict]:
    path = workdir / BEST / "best.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CheckpointError(
            f"{path} is corrupt, so the best checkpoints cannot be read. Move {path.parent} away; "
            "the run then records new ones"
        ) from error


def available(workdir: Path) -> dict[str, int]:
    """Names that `restore_generators` takes -> their steps, by step; each step once."""
    found = {str(step): step for step in complete_steps(workdir / "checkpoints") if step}
    best = {_option(name): entry["step"] for name, entry in _read_best(workdir).items()}
    found |= {name: step for name, step in best.items() if step not in found.values()}
    by_step = {}
    for name, step in sorted(found.items(), key=lambda item: item[1]):
        by_step.setdefault(step, name)
    return {name: step for step, name in by_step.items()}


def restore_generators(workdir: Path, model, which: str = LAST) -> int:
    """Restores `model.generators` from a checkpoint of a run.

    If the run has an exponential moving average (EMA) of its generators, the EMA is restored.

    Args:
      workdir: Folder of the run.
      model: A model of `MODELS`.
      which: "last"; "best" or "best_DIRECTION"; or the number of a step that the run has kept.

    Returns:
      The step of the checkpoint.

    Raises:
      CheckpointError: if the run has no such checkpoint, or one of other networks.
    """
    folder = workdir / "checkpoints"
    if which == LAST:
        path = last_checkpoint(folder)
    elif which.startswith(BEST):
        path = _best_checkpoint(workdir, which.removeprefix(BEST).removeprefix("_") or _MEAN)
    else:
        path = _checkpoint_of_step(folder, which)
    step = tf.Variable(0, dtype=tf.int64)
    try:
        names = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    except (ValueError, tf.errors.OpError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    has_ema = any(name.startswith(f"{_EMA}/") for name in names)
    generators = {_EMA if has_ema else "generators": _by_path(model.generators)}
    _restore(tf.train.Checkpoint(step=step, **generators), path)
    return int(step.numpy())


def last_checkpoint(folder: Path, required: bool = True) -> str | None:
    """The prefix of the last complete checkpoint in `folder`, or None if there is none at all.

    Corrupt ones after it are reported on the terminal.

    Raises:
      CheckpointError: if there is none and `required`, or if there are some but all are corrupt: to
        start again would lose a run.
    """
    steps = complete_steps(folder)
    for step in steps:
        prefix = folder / f"step-{step}"
        problem = find_corruption(prefix)
        if not problem:
            return str(prefix)
        print(f"The checkpoint of step {step} in {folder} is corrupt: {problem}. It is skipped.")
    if steps:
        raise CheckpointError(
            f"all {len(steps)} checkpoints in {folder} are corrupt. Restore one from a copy, or "
            "move the folder of the run away to start again"
        )
    if required:
        raise CheckpointError(f"no checkpoint in {folder}: train first")
    return None


def _best_checkpoint(workdir: Path, name: str) -> str:
    record = _read_best(workdir)
    if name in record:
        return _require_uncorrupted(workdir / BEST / name / f"step-{record[name]['step']}")
    if record:
        raise CheckpointError(
            f"{workdir} has no checkpoint {_option(name)}; choose from "
            f"{', '.join(map(_option, record))}"
        )
    raise CheckpointError(
        f"{workdir} has no best checkpoint, because nothing was evaluated yet (see "
        "--evaluate_every_steps of train.py)"
    )


def _checkpoint_of_step(folder: Path, step: str) -> str:
    kept = sorted(complete_steps(folder))
    if step in map(str, kept):
        return _require_uncorrupted(folder / f"step-{step}")
    raise CheckpointError(
        f"{folder} has no checkpoint of step {step}; it has {', '.join(map(str, kept)) or 'none'}"
    )


def _require_uncorrupted(prefix: Path) -> str:
    if problem := find_corruption(prefix):
        raise CheckpointError(f"{prefix} is corrupt: {problem}")
    return str(prefix)


def _by_path(owners: dict) -> dict[str, tf.Variable]:
    """Every variable of some networks or optimizers by its path, such as `generator/conv_1/kernel`.

    TensorFlow would find variables by walking the objects, but it silently skips the lists of
    layers that Keras keeps.
    """
    variables = [variable for owner in owners.values() for variable in owner.variables]
    by_path = {variable.path: variable.value for variable in variables}
    if len(by_path) != len(variables):
        raise ValueError("two variables have the same path: a checkpoint would hold one of them")
    return by_path


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    try:
        # What the checkpoint holds beyond these objects is left out on purpose: a generator needs
        # no optimizer. The reverse, a variable that the checkpoint lacks, is an error.
        checkpoint.read(path).assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise CheckpointError(f"cannot restore {path}: {error}") from error
