"""How fast the input pipeline delivers, beside what the training step eats, in one run.

    python -m benchmarks.input_pipeline --data_dir=data --batch_size=64 --rounds=5

Both take turns on the same cores, on the prepared domains of bags_shoes.cfg. A pair is one picture of
each domain.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.domains import load_domain
from discogan_tf.data.pipeline import BatchPlan, training_batches
from discogan_tf.models import create_model
from discogan_tf.training import precision
from discogan_tf.training.step import create_optimizers, create_step

_BATCHES_PER_ROUND = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    config = Config(
        batch_size=arguments.batch_size,
        generator_updates_per_step=1,
        precision=precision.resolve("auto"),
    )
    images = [
        load_domain(arguments.data_dir, domain, "train", config.image_size).images[:]
        for domain in (config.domain_a, config.domain_b)
    ]
    plan = BatchPlan(config.batch_size, flip=True)
    batches = iter(training_batches(*images, plan))
    model = create_model(config, tf.as_dtype(config.precision))
    step = create_step(model, create_optimizers(model, config), config, tf.distribute.get_strategy())
    element = next(batches)
    float(step(element)["generator_total"])

    delivered, eaten = [], []
    for _ in range(arguments.rounds):
        started = time.perf_counter()
        for _ in range(_BATCHES_PER_ROUND):
            next(batches)
        pairs = _BATCHES_PER_ROUND * config.batch_size
        delivered.append(pairs / (time.perf_counter() - started))
        started = time.perf_counter()
        for _ in range(3):
            float(step(element)["generator_total"])
        eaten.append(3 * config.batch_size / (time.perf_counter() - started))
    print(f"pipeline: {statistics.median(delivered):.0f} pairs/s")
    print(f"step ({config.precision}): {statistics.median(eaten):.1f} pairs/s")
    print(f"ratio: {statistics.median(delivered) / statistics.median(eaten):.0f}")


if __name__ == "__main__":
    main()
