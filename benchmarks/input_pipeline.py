"""Speed of the input pipeline, beside that of the training step and the limit of the memory.

    python -m benchmarks.input_pipeline --data_dir=data --batch_size=64 --rounds=5

All are interleaved on the same cores, on the prepared domains of bags_shoes.cfg. A pair is one
image of each domain: 24,576 bytes are read for it and 98,304 written, as floats, and the limit is
NumPy doing just that in one thread.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.training_step import project_step, seconds
from discogan_tf.config import Config
from discogan_tf.data.distributed import DistributedInput
from discogan_tf.data.domains import load_domain
from discogan_tf.hardware import resolve_precision
from discogan_tf.runs import reproducibility

_BATCHES_PER_ROUND, _STEPS_PER_ROUND = 200, 3


def measure(data_dir: str, batch_size: int, rounds: int) -> dict[str, list[float]]:
    """Pairs per second in each round, of "pipeline", "step" and "memory"."""
    config = Config(
        batch_size=batch_size, precision=resolve_precision("auto"), flip=True, data_dir=data_dir
    )
    reproducibility.enforce(config)
    images = {
        key: load_domain(data_dir, domain, "train", config.image_size).images[:]
        for key, domain in config.domains.items()
    }
    elements = DistributedInput(
        tf.distribute.get_strategy(), config, images, updates_per_step=1
    ).elements()
    step, _ = project_step(config)
    chosen = np.random.default_rng(0).integers(0, len(images["a"]), batch_size)

    def copy():
        for domain_images in images.values():
            domain_images[chosen].astype(np.float32)

    works = {
        "pipeline": (lambda: next(elements), _BATCHES_PER_ROUND),
        "step": (lambda: seconds(step), _STEPS_PER_ROUND),
        "memory": (copy, _BATCHES_PER_ROUND),
    }
    found = {name: [] for name in works}
    for work, _ in works.values():
        work()
    for _ in range(rounds):
        for name, (work, times) in works.items():
            started = time.perf_counter()
            for _ in range(times):
                work()
            found[name].append(times * batch_size / (time.perf_counter() - started))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    values = parser.parse_args()
    found = measure(values.data_dir, values.batch_size, values.rounds)
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    print("| what | pairs/s | of the limit | times the step's |\n|---|---|---|---|")
    for name, words in (
        ("pipeline", "input pipeline, with flips"),
        ("memory", "its limit: the same bytes read and written"),
        ("step", "the training step"),
    ):
        rates = found[name]
        spread = f"{middle[name]:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
        shares = ("", "")
        if name == "pipeline":
            shares = (
                f"{middle[name] / middle['memory']:.2f}",
                f"{middle[name] / middle['step']:.0f}",
            )
        print(f"| {words} | {spread} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
