"""Two processes against one on the cores of this machine, and the cost of their communication.

    python -m benchmarks.workers --precision=bfloat16 --batch_size=64 --rounds=2

Three ways are interleaved, each in its own processes: one process with all cores and the whole
batch; two workers with half of the cores and of the batch each, which sum their gradients and share
batch-norm statistics; and two independent processes with the same halves. The workers also compute
nothing but the sums of a step, one after another: that is communication. The rest of the difference
is waiting for each other, and batch norm, which takes two operations instead of one. The step has
the paper's objective and batch norm.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from discogan_tf.launch import free_addresses

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_ROOT = Path(__file__).resolve().parents[1]
_STEPS = 8


def _secs_of_steps(precision: str, batch_size: int) -> dict:
    """In this process, as one of several workers if TF_CONFIG says so.

    Returns:
      "steps": seconds of each; of workers also "sums": how many numbers each sum of a step has, and
      "secs_of_sums": seconds of all those sums alone, several times.
    """
    import numpy as np
    import tensorflow as tf

    from benchmarks.training_step import seconds
    from discogan_tf.config import Config
    from discogan_tf.data.distributed import DistributedInput
    from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
    from discogan_tf.models import create_model
    from discogan_tf.runs import reproducibility
    from discogan_tf.training import distribution
    from discogan_tf.training.schedules import step_policies
    from discogan_tf.training.step import create_optimizers, create_step

    distribute = "multi_worker" if "TF_CONFIG" in os.environ else "none"
    config = Config(
        precision=precision, batch_size=batch_size, distribute=distribute, **PAPER_SETTINGS
    )
    reproducibility.enforce(config)
    strategy = distribution.create_strategy(config)
    with strategy.scope():
        model = create_model(config, tf.as_dtype(precision))
        optimizers = create_optimizers(model, config)
    images = np.random.default_rng(0).integers(0, 256, (1000, 64, 64, 3), np.uint8)
    training = {"a": images, "b": images}
    elements = DistributedInput(strategy, config, training, updates_per_step=1).elements()
    step = create_step(model, optimizers, strategy, **step_policies(config, model))
    for _ in range(2):
        seconds(lambda: step(next(elements)))
    found = {"steps": [seconds(lambda: step(next(elements))) for _ in range(_STEPS)]}
    if distribute == "none":
        return found
    operations = step.get_concrete_function(next(elements)).graph.get_operations()
    sizes = [
        o.inputs[0].shape.num_elements()
        for o in operations
        if o.type.startswith("CollectiveReduce")
    ]

    def add_up():
        replica = tf.distribute.get_replica_context()
        total = tf.cast(replica.replica_id_in_sync_group, tf.float32)
        for size in sizes:  # Each needs the one before, as in the networks.
            total = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.fill([size], total))[0]
        return total

    sums = tf.function(lambda: strategy.experimental_local_results(strategy.run(add_up)))
    seconds(sums)
    return found | {"sums": sizes, "secs_of_sums": [seconds(sums) for _ in range(_STEPS)]}


def _run(commands: list[list[str]], addresses: list[str], cores: list[set[int]]) -> list[dict]:
    """The results of processes that run at the same time, as workers if there are addresses."""
    processes = []
    for index, (command, share) in enumerate(zip(commands, cores, strict=True)):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env=os.environ | ({"TF_CONFIG": json.dumps(cluster)} if addresses else {}),
                preexec_fn=lambda share=share: os.sched_setaffinity(0, share),
            )
        )  # fmt: skip
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]


def compare(precision: str, batch_size: int, rounds: int) -> dict[str, list[dict]]:
    """The results of each process: of "one", "workers" and "strangers"."""

    def command(size):
        return [
            sys.executable,
            "-m",
            "benchmarks.workers",
            f"--precision={precision}",
            f"--secs_of={size}",
        ]

    cores = sorted(os.sched_getaffinity(0))
    halves = [set(cores[: len(cores) // 2]), set(cores[len(cores) // 2 :])]
    found = {"one": [], "workers": [], "strangers": []}
    for _ in range(rounds):
        found["one"] += _run([command(batch_size)], [], [set(cores)])
        found["workers"] += _run([command(batch_size)] * 2, free_addresses(2), halves)
        found["strangers"] += _run([command(batch_size // 2)] * 2, [], halves)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--secs_of", type=int, help=argparse.SUPPRESS)
    values = parser.parse_args()
    if values.secs_of:
        print(json.dumps(_secs_of_steps(values.precision, values.secs_of)))
        return
    found = compare(values.precision, values.batch_size, values.rounds)
    steps = {name: [secs for each in of for secs in each["steps"]] for name, of in found.items()}
    middle = {name: statistics.median(secs) for name, secs in steps.items()}
    print(f"| {values.precision}, batch {values.batch_size} | pairs/s, median (range) |\n|---|---|")
    for name, words in (
        ("one", "one process, all cores"),
        ("workers", "two workers, half of the cores each"),
        ("strangers", "two processes that do not talk, half of the cores and of the batch each"),
    ):
        rates = [values.batch_size / secs for secs in steps[name]]
        print(
            f"| {words} | {statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f}) |"
        )
    sums = found["workers"][0]["sums"]
    alone = statistics.median(secs for each in found["workers"] for secs in each["secs_of_sums"])
    print(
        f"\nA step adds up {len(sums)} times over all workers, {sum(sums):,} numbers in all. These "
        f"sums alone take {alone * 1e3:.0f} ms, {alone / middle['workers']:.0%} of the workers' "
        f"step of {middle['workers'] * 1e3:.0f} ms; that of processes that do not talk takes "
        f"{middle['strangers'] * 1e3:.0f} ms."
    )


if __name__ == "__main__":
    main()
