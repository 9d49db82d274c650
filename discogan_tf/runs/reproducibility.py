"""Reproducibility bit for bit: what it depends on, and whether a resumed run has it."""

import os

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError

# What the last bits depend on, by its place in a line of `provenance.jsonl`, and its name for
# users.
_DEPENDENCIES = {
    ("git_commit",): "the project's commit",
    ("packages", "discogan-tf"): "discogan-tf",
    ("packages", "tensorflow"): "TensorFlow",
    ("packages", "keras"): "Keras",
    ("packages", "numpy"): "NumPy",
    ("machine", "processor"): "the processor",
    ("machine", "threads"): "the number of threads (--num_threads)",
    ("machine", "gpus"): "the GPUs",
    ("machine", "replicas"): "the number of replicas",
    ("data",): "the images",
    ("config", "deterministic"): "--deterministic",
    ("config", "xla"): "--xla",
    ("config", "conv_implementation"): "--conv_implementation",
}


def enforce(config: Config) -> None:
    """Sets the number of threads and, if requested, deterministic operations.

    Raises:
      ConfigError: if this process has computed something already.
    """
    try:
        # Two operations run at a time, one for each direction of translation: with all cores for
        # each, they would compete (figures in `benchmarks/RESULTS.md`).
        threads = config.num_threads or max(1, cores() // 2)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        if config.num_threads:
            raise ConfigError(
                f"--num_threads={config.num_threads}: TensorFlow has already started in this "
                "process"
            ) from error
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def threads() -> int:
    """How many threads an operation of this process may use on the CPU."""
    return tf.config.threading.get_intra_op_parallelism_threads() or cores()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reproducibility_warnings(before: dict | None, now: dict) -> list[str]:
    """Why a resumed run may differ in its last bits from an uninterrupted one; empty if not.

    Args:
      before: The line of `provenance.jsonl` of the previous start; None if there is none.
      now: The line of this start.
    """
    if before is None:
        return ["its earlier starts are not recorded"]
    found = []
    for keys, name in _DEPENDENCIES.items():
        was, is_now = _value(before, keys), _value(now, keys)
        if was != is_now:
            values = "" if keys == ("data",) else f" from {was} to {is_now}"
            found.append(f"{name} changed{values}")
    if (now["git_commit"] or "").endswith("+"):
        found.append("the code has uncommitted changes")
    if _value(now, ("machine", "gpus")) and not _value(now, ("config", "deterministic")):
        found.append("GPU reductions are not deterministic without --deterministic")
    return found


def _value(line: dict, keys: tuple[str, ...]):
    for key in keys:
        line = line.get(key) if isinstance(line, dict) else None
    return line
