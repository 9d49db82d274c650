"""What a checkpoint holds, and how runs and translators come back from one."""

import json
import math
import shutil
from pathlib import Path

import tensorflow as tf

from discogan_tf.checkpoint_names import BEST, LAST
from discogan_tf.errors import CheckpointError

# Name within a checkpoint of the generators' averages.
_AVERAGES = "averages"
# Folder of the best checkpoints, and name of the best of both directions.
_BEST, _TOGETHER = "best", "together"


class Checkpoints:
    """The checkpoints of a run: networks with their statistics, optimizers, and the step.

    TensorFlow writes each under a temporary name and lists it last, so that a crash at any moment
    leaves the one before.

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
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(folder), max_to_keep=keep, checkpoint_name="step"
        )

    def restore_last(self) -> int:
        """Goes back to the last checkpoint, where there is one. Returns the step: 0 for none.

        Raises:
          CheckpointError: if there are checkpoints but none can be read.
        """
        path = last_checkpoint(Path(self._manager.directory), required=False)
        if path:
            _restore(self._checkpoint, path)
        return int(self.step.numpy())  # int() alone fails on several replicas.

    def save(self, step: int) -> None:
        """Writes a checkpoint of this moment, as that of `step` completed steps."""
        self.step.assign(step)
        self._manager.save(checkpoint_number=step)

    def remove_leftovers(self) -> None:
        """Removes what a crash while saving left behind."""
        for folder in Path(self._manager.directory).glob("*_temp"):
            shutil.rmtree(folder, ignore_errors=True)


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
            self._checkpoint.write(str(self._folder / name / f"step-{step}"))
            self._record[name] = {"step": step, "score": scores[name]}
        if better:
            _write_json(self._folder / "best.json", self._record)
            for name in better:
                for file in (self._folder / name).glob("step-*"):
                    if file.name.partition(".")[0] != f"step-{step}":
                        file.unlink()
        return better


def _read_best(workdir: Path) -> dict[str, dict]:
    try:
        return json.loads((workdir / _BEST / "best.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CheckpointError(f"{workdir / _BEST / 'best.json'} is damaged: move {_BEST}/ away") from error


def _write_json(path: Path, content: dict) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)


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
    """The prefix of the last checkpoint in `folder`, or None where there is none.

    Raises:
      CheckpointError: if there is none and `required`, or if files of checkpoints lie there but
        TensorFlow's list of them is unreadable: starting afresh would then lose a run.
    """
    path = tf.train.latest_checkpoint(str(folder))
    if path:
        return path
    written = sorted(folder.glob("*.index"))
    if len(written) == 1 and not (folder / "checkpoint").exists():
        # The first save was cut short after the checkpoint, before it was listed.
        return str(written[0].with_suffix(""))
    if written:
        raise CheckpointError(
            f"{folder} holds checkpoints, but its list of them (the file `checkpoint`) is missing or "
            "damaged, or names files that are gone. Restore it, or move the folder away to start anew."
        )
    if required:
        raise CheckpointError(f"no checkpoint in {folder}: train first")
    return None


def _best_checkpoint(workdir: Path, name: str) -> str:
    record = _read_best(workdir)
    if name in record:
        return str(workdir / _BEST / name / f"step-{record[name]['step']}")
    if record:
        names = [BEST if other == _TOGETHER else f"{BEST}_{other}" for other in record]
        raise CheckpointError(f"{workdir} has no best checkpoint of {name}; it has {', '.join(names)}")
    raise CheckpointError(
        f"{workdir} has no best checkpoint: none was evaluated yet (see --evaluate_every_steps of train.py)"
    )


def _checkpoint_of_step(folder: Path, step: str) -> str:
    path = folder / f"step-{step}"
    if path.with_name(f"{path.name}.index").is_file():
        return str(path)
    kept = sorted(int(file.stem.removeprefix("step-")) for file in folder.glob("step-*.index"))
    raise CheckpointError(
        f"{folder} has no checkpoint of step {step}; it has {', '.join(map(str, kept)) or 'none'}"
    )


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
