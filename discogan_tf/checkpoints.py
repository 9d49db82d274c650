"""What a checkpoint holds, and how runs and translators come back from one."""

import contextlib
import json
import math
from pathlib import Path

import tensorflow as tf

from discogan_tf.checkpoint_names import BEST, LAST
from discogan_tf.errors import CheckpointError
from discogan_tf.sealed import damage, remove, remove_all_but, seal, sealed_steps, unseal, write_durably

# Name within a checkpoint of the generators' averages.
_AVERAGES = "averages"
# Folder of the best checkpoints, and name of the best of both directions.
_BEST, _TOGETHER = "best", "together"
# TensorFlow's, which is not sealed.
_LIST_OF_EARLIER_VERSIONS = "checkpoint"


class Checkpoints:
    """The checkpoints of a run: networks with their statistics, optimizers, and the step.

    Each is `step-N` and sealed (see `sealed.py`): a crash at any moment leaves the one before, and one that
    was damaged later is found out and passed over.

    Args:
      folder: Where they lie.
      model: A model of `MODELS`, as is `optimizers` those of `create_optimizers`.
      keep: How many of the last to keep.
      averaged: The model whose generators are averages of those of `model`, where there is one.
    """

    def __init__(self, folder: Path, model, optimizers: dict, keep: int, averaged=None):
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        averages = {_AVERAGES: _by_path(averaged.generators)} if averaged else {}
        self._checkpoint = tf.train.Checkpoint(
            generators=_by_path(model.generators),
            discriminators=_by_path(model.discriminators),
            optimizers=_by_path(optimizers),
            step=self.step,
            **averages,
        )
        self._folder, self._keep = folder, keep

    def restore_last(self) -> int | None:
        """Goes back to the last whole checkpoint. Returns its step, or None where there is none at all.

        Raises:
          CheckpointError: if there are checkpoints but none can be read.
        """
        path = last_checkpoint(self._folder, required=False)
        if path is None:
            return None
        _restore(self._checkpoint, path)
        return int(self.step.numpy())  # int() alone fails on several replicas.

    def save(self, step: int) -> None:
        """Writes a checkpoint of this moment, as that of `step` completed steps.

        Raises:
          CheckpointError: if the disk does not take it. Those before are as they were.
        """
        self.step.assign(step)
        prefix = self._folder / f"step-{step}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unseal(prefix)
            self._checkpoint.write(str(prefix))
            seal(prefix)
        except (OSError, tf.errors.OpError) as error:
            with contextlib.suppress(OSError):
                self.remove_leftovers()
            raise CheckpointError(
                f"step {step} could not be saved: {_in_short(error)}. Those saved before are as they were"
            ) from error
        for old in sealed_steps(self._folder)[self._keep :]:
            remove(self._folder / f"step-{old}")

    def remove_leftovers(self) -> None:
        """Removes what a crash while saving left behind: whatever is not sealed, once anything is."""
        if sealed := sealed_steps(self._folder):
            remove_all_but(self._folder, sealed)


class BestCheckpoints:
    """The translators with the best validation scores so far, kept apart from the last checkpoints.

    `WORKDIR/best/NAME/` holds one checkpoint for each direction's own score and one, `together`, for
    the mean of all; `best.json` says which step and score each has. Lower is better.

    Args:
      workdir: Folder of the run.
      model: The model whose generators are shown.
    """

    def __init__(self, workdir: Path, model):
        self._folder = workdir / _BEST
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(generators=_by_path(model.generators), step=self._step)
        # After a crash it may be of a later step than the run is at: a translator it is all the same.
        self._record = _read_best(workdir)

    def offer(self, step: int, scores: dict[str, float]) -> list[str]:
        """Keeps the translators of this moment under every name for which they are the best so far.

        Args:
          step: The step they are of.
          scores: Name of each direction -> its score.

        Returns:
          Those names.
        """
        scores = scores | {_TOGETHER: sum(scores.values()) / len(scores)}
        better = [
            name
            for name, score in scores.items()
            if math.isfinite(score) and score < self._record.get(name, {"score": math.inf})["score"]
        ]
        self._step.assign(step)
        for name in better:
            prefix = self._folder / name / f"step-{step}"
            unseal(prefix)
            self._checkpoint.write(str(prefix))
            seal(prefix)
            self._record[name] = {"step": step, "score": scores[name]}
        if better:
            write_durably(self._folder / "best.json", json.dumps(self._record, indent=1) + "\n")
            for name in better:
                remove_all_but(self._folder / name, [step])
        return better


def _read_best(workdir: Path) -> dict[str, dict]:
    try:
        return json.loads((workdir / _BEST / "best.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CheckpointError(f"{workdir / _BEST / 'best.json'} is damaged: move {_BEST}/ away") from error


def restore_generators(workdir: Path, model, which: str = LAST) -> int:
    """Fills `model.generators` from a checkpoint of a run, and returns its step.

    Where the run averages its generators' weights, these are the averages.

    Args:
      workdir: Folder of the run.
      model: A model of `MODELS`.
      which: "last"; "best" or "best_DIRECTION"; or the number of a step that the run has kept.

    Raises:
      CheckpointError: if the run has no such checkpoint, or one of other networks.
    """
    folder = workdir / "checkpoints"
    if which == LAST:
        path = last_checkpoint(folder)
    elif which.startswith(BEST):
        path = _best_checkpoint(workdir, which.removeprefix(BEST).removeprefix("_") or _TOGETHER)
    else:
        path = _checkpoint_of_step(folder, which)
    step = tf.Variable(0, dtype=tf.int64)
    try:
        names = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    except (ValueError, tf.errors.OpError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    has_averages = any(name.startswith(f"{_AVERAGES}/") for name in names)
    generators = {_AVERAGES if has_averages else "generators": _by_path(model.generators)}
    _restore(tf.train.Checkpoint(step=step, **generators), path)
    return int(step)


def last_checkpoint(folder: Path, required: bool = True) -> str | None:
    """The prefix of the last whole checkpoint in `folder`, or None where there is none at all.

    Damaged ones after it are named on the terminal.

    Raises:
      CheckpointError: if there is none and `required`, or if there are some but none is whole: starting
        afresh would then lose a run.
    """
    steps = sealed_steps(folder)
    for step in steps:
        prefix = folder / f"step-{step}"
        problem = damage(prefix)
        if not problem:
            return str(prefix)
        print(f"The checkpoint of step {step} in {folder} is damaged and not used: {problem}.")
    if steps:
        raise CheckpointError(
            f"none of the {len(steps)} checkpoints in {folder} is whole. Restore one from a copy, or move "
            "the folder of the run away to start anew."
        )
    if (folder / _LIST_OF_EARLIER_VERSIONS).exists():
        path = tf.train.latest_checkpoint(str(folder))
        if path is None:
            raise CheckpointError(
                f"{folder} holds checkpoints of an earlier version, but their list, the file "
                f"`{_LIST_OF_EARLIER_VERSIONS}`, is damaged or names files that are gone. Restore it, or "
                "move the folder of the run away to start anew."
            )
        return path
    if required:
        raise CheckpointError(f"no checkpoint in {folder}: train first")
    return None


def _best_checkpoint(workdir: Path, name: str) -> str:
    record = _read_best(workdir)
    if name in record:
        return _whole(workdir / _BEST / name / f"step-{record[name]['step']}")
    if record:
        names = [BEST if other == _TOGETHER else f"{BEST}_{other}" for other in record]
        raise CheckpointError(f"{workdir} has no best checkpoint of {name}; it has {', '.join(names)}")
    raise CheckpointError(
        f"{workdir} has no best checkpoint: none was evaluated yet (see --evaluate_every_steps of train.py)"
    )


def _checkpoint_of_step(folder: Path, step: str) -> str:
    path = folder / f"step-{step}"
    if path.with_name(f"{path.name}.index").is_file():
        return _whole(path)
    kept = sorted(int(file.stem.removeprefix("step-")) for file in folder.glob("step-*.index"))
    raise CheckpointError(
        f"{folder} has no checkpoint of step {step}; it has {', '.join(map(str, kept)) or 'none'}"
    )


def _whole(prefix: Path) -> str:
    """`prefix` as text, of a checkpoint that is whole, or of an earlier version that did not seal them.

    Raises:
      CheckpointError: if it is damaged.
    """
    problem = damage(prefix)
    if problem and sealed_steps(prefix.parent):
        raise CheckpointError(f"{prefix} is damaged: {problem}")
    return str(prefix)


def _in_short(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _by_path(owners: dict) -> dict[str, tf.Variable]:
    """Every variable of some networks or optimizers by its path, such as `generator/conv_1/kernel`.

    TensorFlow would find variables by walking the objects, but it does not look into the lists of
    layers that Keras keeps, and says nothing.
    """
    variables = [variable for owner in owners.values() for variable in owner.variables]
    by_path = {variable.path: variable.value for variable in variables}
    if len(by_path) != len(variables):
        raise ValueError("two variables of the same path: a checkpoint would keep one of them")
    return by_path


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    try:
        # What the checkpoint holds beyond these objects is left out on purpose: a translator
        # needs no optimizer. The reverse, a variable that the checkpoint lacks, is an error.
        checkpoint.read(path).assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise CheckpointError(f"cannot restore {path}: {error}") from error
