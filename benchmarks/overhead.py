"""The cost of training beside its steps: Python, the loop, the metrics log, and waiting for images.

    python -m benchmarks.overhead --data_dir=data

Trains as `train.py` does, on the prepared domains of bags_shoes.cfg, but with a step that only
takes its batch and all variables, and returns as many losses as the real one: what remains is
everything else. It is timed from step 200 to step 2,200, in pieces of 200. Images come in batches
of 2, so that making them does not count. Before that, real steps alternate with waiting for batches
of 64, which are made meanwhile.
"""

import argparse
import contextlib
import dataclasses
import io
import itertools
import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.distributed import DistributedInput
from discogan_tf.data.domains import load_training
from discogan_tf.hardware import resolve_precision
from discogan_tf.models import create_model
from discogan_tf.runs import reproducibility
from discogan_tf.training import loop
from discogan_tf.training.schedules import step_policies
from discogan_tf.training.step import create_optimizers, create_step
from discogan_tf.training.train_loop import create_train_loop

_NAMES = [
    *("generator_total", "discriminator_total"),
    *(f"loss_{number}" for number in range(8)),
    *(f"gradient_norm_{number}" for number in range(4)),
]
_PIECE, _PIECES = 200, 10
_NEVER = 1 << 30


def _empty_step(model, optimizers, strategy, *, make_batches, **policies):
    networks = (*model.generators.values(), *model.discriminators.values())
    used = [v for owner in (*networks, *optimizers.values()) for v in owner.variables]

    @tf.function
    def step(element, number):
        if number < 0:  # Never; but a call must pass the variables.
            for variable in used:
                variable.assign(variable.value)
        (batch,) = make_batches(element) if make_batches else element
        loss = batch["a"][0, 0, 0, 0] + batch["b"][0, 0, 0, 0]
        return dict.fromkeys(_NAMES, loss)

    return step


def _piece_secs(config: Config) -> list[float]:
    """Seconds of each piece of a run."""
    starts = {}

    def create_timed_loop(*arguments):
        call = create_train_loop(*arguments)

        def timed(elements, first_step, count):
            starts[first_step] = time.perf_counter()
            return call(elements, first_step, count)

        return timed

    loop.create_step, loop.create_train_loop = _empty_step, create_timed_loop
    with tempfile.TemporaryDirectory() as workdir, contextlib.redirect_stdout(io.StringIO()):
        loop.train(
            dataclasses.replace(config, workdir=workdir, num_steps=_PIECE * (_PIECES + 1) + 1)
        )
    edges = [starts[_PIECE * (number + 1) + 1] for number in range(_PIECES + 1)]
    return [after - before for before, after in itertools.pairwise(edges)]


def overhead(data_dir: str) -> dict[str, list[float]]:
    """Kind of run -> milliseconds per step of everything but the step, of each piece."""
    base = Config(
        data_dir=data_dir, batch_size=2, precision="float32", ema_decay=0.0, flip=True,
        sample_every_steps=_NEVER, save_every_steps=_NEVER, evaluate_every_steps=_NEVER,
    )  # fmt: skip
    kinds = {
        "one step a call": {},
        "ten steps a call": {"steps_per_execution": 10},
        "ten steps a call, batches made on the device": {
            "steps_per_execution": 10,
            "device_cache_bytes": _NEVER,
        },
    }
    return {
        kind: [secs / _PIECE * 1e3 for secs in _piece_secs(dataclasses.replace(base, **changed))]
        for kind, changed in kinds.items()
    }


def waiting(data_dir: str, steps: int) -> tuple[list[float], list[float]]:
    """Seconds that each step waits for its batch, and that it takes."""
    config = Config(
        data_dir=data_dir, batch_size=64, precision=resolve_precision("auto"), flip=True
    )
    strategy = tf.distribute.get_strategy()
    training = {
        key: domain.images[:] for key, domain in load_training(config, config.image_size).items()
    }
    model = create_model(config, tf.as_dtype(config.precision))
    optimizers = create_optimizers(model, config)
    step = create_step(model, optimizers, strategy, **step_policies(config, model))
    elements = DistributedInput(strategy, config, training, updates_per_step=1).elements()
    waits, takes = [], []
    for number in range(steps + 3):
        started = time.perf_counter()
        element = next(elements)
        there = time.perf_counter()
        float(step(element)["generator_total"])
        if number >= 3:
            waits.append(there - started)
            takes.append(time.perf_counter() - there)
    return waits, takes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    values = parser.parse_args()
    reproducibility.enforce(Config())
    waits, takes = waiting(values.data_dir, steps=20)
    found = {f"everything, {kind}": times for kind, times in overhead(values.data_dir).items()}
    found["waiting for a batch of 64"] = [secs * 1e3 for secs in waits]
    print("| beside the step | ms a step, median (range) |\n|---|---|")
    for kind, times in found.items():
        print(f"| {kind} | {statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f}) |")
    print(
        f"\nOf all the time of such steps, {sum(waits) / (sum(waits) + sum(takes)):.2%} was "
        "waiting."
    )


if __name__ == "__main__":
    main()
