"""Speed of the training step, beside the matrix-multiply rate of the same cores in the same run.

    python -m benchmarks.training_step --precision=bfloat16 --batch_size=64 --num_steps=10 --json

One step is one update of both sides with the paper's objective and batch norm, on random images of
64 pixels; `benchmarks.recipe_steps` times those of the flagfiles. Steps and multiplications
alternate, and the medians are reported.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.models import create_model
from discogan_tf.networks.layers import named_layers
from discogan_tf.runs import reproducibility
from discogan_tf.training.schedules import step_policies
from discogan_tf.training.step import create_optimizers, create_step

# Matrices that exceed the caches, as the larger layers do.
_MATRIX_SIZE = 2048
# Forward passes that an update amounts to; a gradient with respect to weights or inputs counts as
# one. Both sides: each generator runs twice, with both gradients; each discriminator runs on real
# images and on translations, with both gradients for itself and one for the generators. Without
# identity losses, which PAPER_SETTINGS does not have.
_PASSES_OF_BOTH = {"generator": 12, "discriminator": 14}
# The generators alone: the discriminators run on translations, with one gradient.
_PASSES_OF_GENERATORS = {"generator": 12, "discriminator": 4}


def nominal_gflop_per_pair(model, config: Config) -> float:
    """Multiplications and additions of one step, for each pair of images, in 10^9."""
    flop = {
        "generator": forward_flop(next(iter(model.generators.values())), config.image_size),
        "discriminator": forward_flop(next(iter(model.discriminators.values())), config.image_size),
    }
    updates = [_PASSES_OF_BOTH] + [_PASSES_OF_GENERATORS] * (config.generator_updates_per_step - 1)
    return sum(passes[side] * flop[side] for passes in updates for side in flop) / 1e9


def forward_flop(network, image_size: int) -> int:
    """Operations for one image: two per kernel weight and output position."""
    total = 0
    layers = named_layers(network).values()
    for layer in layers:
        if not hasattr(layer, "kernel"):
            continue
        original = layer.call

        def counted(x, layer=layer, original=original, **settings):
            nonlocal total
            y = original(x, **settings)
            positions = int(np.prod(y.shape[1:-1]))
            total += 2 * positions * int(np.prod(layer.kernel.shape))
            return y

        layer.call = counted
    network(tf.zeros((1, image_size, image_size, 3)))
    for layer in layers:
        layer.__dict__.pop("call", None)
    return total


def random_batch(batch_size: int, image_size: int = 64) -> dict[str, np.ndarray]:
    """ "a", "b" -> images, float32 [batch, size, size, 3]."""
    rng = np.random.default_rng(0)
    shape = (batch_size, image_size, image_size, 3)
    return {domain: rng.random(shape, np.float32) for domain in ("a", "b")}


def project_step(config: Config):
    """A function that takes one step on one random batch; and its 10^9 operations per pair."""
    keras.utils.set_random_seed(config.seed)
    model = create_model(config, tf.as_dtype(config.precision))
    gflop = nominal_gflop_per_pair(model, config)
    policies = step_policies(config, model)
    optimizers = create_optimizers(model, config)
    step = create_step(model, optimizers, tf.distribute.get_strategy(), **policies)
    batch = {
        key: tf.constant(images)
        for key, images in random_batch(config.batch_size, config.image_size).items()
    }
    batches = (batch,) * config.generator_updates_per_step
    return lambda: step(batches), gflop


def products(precision: str):
    """A function that multiplies matrices on all cores; and its 10^9 operations."""
    at_a_time = max(1, reproducibility.cores() // reproducibility.threads())
    rng = np.random.default_rng(0)
    matrices = [
        tf.cast(rng.random((_MATRIX_SIZE, _MATRIX_SIZE), np.float32), precision)
        for _ in range(at_a_time)
    ]
    multiply = tf.function(lambda matrices: [tf.matmul(matrix, matrix) for matrix in matrices])
    return lambda: multiply(matrices), at_a_time * 2 * _MATRIX_SIZE**3 / 1e9


def seconds(function) -> float:
    """How long a call takes, until all its results are computed."""
    started = time.perf_counter()
    for value in tf.nest.flatten(function()):
        if tf.is_tensor(value):
            value.numpy()
    return time.perf_counter() - started


def measure(config: Config, num_steps: int) -> dict:
    """Medians and spreads of alternating steps and matrix multiplications."""
    (step, gflop), (multiply, product_gflop) = project_step(config), products(config.precision)
    for _ in range(2):
        seconds(step), seconds(multiply)
    steps, multiplications = [], []
    for _ in range(num_steps):
        steps.append(seconds(step))
        multiplications += [seconds(multiply) for _ in range(5)]
    return {
        "precision": config.precision,
        "batch_size": config.batch_size,
        "generator_updates_per_step": config.generator_updates_per_step,
        "pairs_per_sec": config.batch_size / statistics.median(steps),
        "pairs_per_sec_range": [config.batch_size / max(steps), config.batch_size / min(steps)],
        "matmul_gflops": product_gflop / statistics.median(multiplications),
        "nominal_gflop_per_pair": gflop,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--num_steps", type=int, default=10)
    parser.add_argument("--generator_updates_per_step", type=int, default=1)
    parser.add_argument("--num_threads", type=int, default=0, help="as for train.py")
    parser.add_argument("--conv_implementation", default="auto", choices=("auto", "plain"))
    parser.add_argument("--deterministic", action="store_true", help="as for train.py")
    parser.add_argument("--json", action="store_true", help="print one line of JSON, last")
    arguments = parser.parse_args()
    config = Config(
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        generator_updates_per_step=arguments.generator_updates_per_step,
        num_threads=arguments.num_threads,
        conv_implementation=arguments.conv_implementation,
        deterministic=arguments.deterministic,
        **PAPER_SETTINGS,
    )
    reproducibility.enforce(config)
    result = measure(config, arguments.num_steps)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
