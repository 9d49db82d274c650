"""The same run twice, bit for bit: what makes it so, and whether a resumed run is."""

import os

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError

# What last bits depend on, as `provenance` records it: where it stands there -> what people call it.
_THAT_MATTERS = {
    ("git_commit",): "the project's commit",
    ("packages", "discogan-tf"): "discogan-tf",
    ("packages", "tensorflow"): "TensorFlow",
    ("packages", "keras"): "Keras",
    ("packages", "numpy"): "NumPy",
    ("machine", "processor"): "the processor",
    ("machine", "threads"): "the number of threads (--num_threads)",
    ("machine", "gpus"): "the GPUs",
    ("machine", "replicas"): "the number of replicas",
    ("data",): "the pictures",
    ("config", "deterministic"): "--deterministic",
    ("config", "xla"): "--xla",
}


def enforce(config: Config) -> None:
    """Sets what TensorFlow takes only before it computes anything: threads and kinds of operations.

    Raises:
      ConfigError: if this process has computed something already.
    """
    try:
        # Two operations run at a time, one of each direction of translation: with all cores each, they
        # would get in each other's way (figures in `benchmarks/RESULTS.md`).
        threads = config.num_threads or max(1, cores() // 2)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        if config.num_threads:
            raise ConfigError(
                f"--num_threads={config.num_threads}: too late in this process, TensorFlow has started"
            ) from error
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def threads() -> int:
    """How many threads an operation of this process may use on the CPU."""
    return tf.config.threading.get_intra_op_parallelism_threads() or cores()


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def doubts(before: dict | None, now: dict) -> list[str]:
    """Why a run that goes on may differ in last bits from one that never stopped; none if it does not.

    Args:
      before, now: Lines of `provenance.jsonl`: of the start before, if there is one, and of this.
    """
    if before is None:
        return ["what it was trained with before is not known"]
    found = []
    for keys, words in _THAT_MATTERS.items():
        # Flags that a version did not know were off.
        unknown = False if keys[0] == "config" else None
        was, then = (_value(line, keys) or unknown for line in (before, now))
        if was != then:
            found.append(f"{words} changed" + ("" if keys == ("data",) else f" from {was} to {then}"))
    if (now["git_commit"] or "").endswith("+"):
        found.append("the code has changes that no commit holds")
    if _value(now, ("machine", "gpus")) and not _value(now, ("config", "deterministic")):
        found.append("GPUs add up in any order without --deterministic")
    return found


def _value(line: dict, keys: tuple[str, ...]):
    for key in keys:
        line = line.get(key) if isinstance(line, dict) else None
    return line
