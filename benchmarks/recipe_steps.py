"""Time of a training step with the settings of several recipes, in turns.

    python -m benchmarks.recipe_steps --precision=bfloat16 --rounds=6

Each takes its own batch size, on random images of its own size. Prints medians and ranges as a
Markdown table.
"""

import argparse
import dataclasses
import os
import statistics
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.training_step import seconds
from discogan_tf import text
from discogan_tf.config import Config
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.flagfile import from_flagfile
from discogan_tf.models import create_model
from discogan_tf.runs import reproducibility
from discogan_tf.training.schedules import step_policies
from discogan_tf.training.step import create_optimizers, create_step

_ROOT = Path(__file__).parents[1]
_STEPS_PER_ROUND = 4
_FLAGFILES = (
    "cyclegan_64.cfg", "text_encoder.cfg", "stackgan_stage1.cfg", "stackgan_stage2.cfg",
)  # fmt: skip


def recipes() -> dict[str, Config]:
    """Label -> settings."""
    default = Config()
    return {
        "`bags_shoes.cfg`": default,
        "the same, `--normalization=batch`": dataclasses.replace(default, normalization="batch"),
        "the same, `--discriminator_normalization=batch`": dataclasses.replace(
            default, discriminator_normalization="batch"
        ),
        "the same, `--identity_weight=0`": dataclasses.replace(default, identity_weight=0.0),
        "0.1.0": dataclasses.replace(default, **PAPER_SETTINGS),
        **{f"`{name}`": from_flagfile((_ROOT / name).read_text()) for name in _FLAGFILES},
    }


def create_random_step(config: Config):
    """A function that takes one step on one random batch of whatever the model learns from."""
    keras.utils.set_random_seed(config.seed)
    model = create_model(config, tf.as_dtype(config.precision))
    step = create_step(
        model,
        create_optimizers(model, config),
        tf.distribute.get_strategy(),
        **step_policies(config, model),
    )
    rng, count = np.random.default_rng(0), config.batch_size
    shape = (count, config.image_size, config.image_size, 3)
    batch = {
        stream: tf.constant(rng.random(shape, np.float32))
        for stream in model.streams
        if stream != "text"
    }
    if "text" in model.streams:
        for name in ("text", "wrong_text"):
            characters = rng.integers(0, text.NUM_CHARACTERS, (count, text.LENGTH))
            batch[name] = tf.constant(characters.astype(np.int32))
        batch["class"] = tf.range(count)
        batch["noise"] = tf.constant(rng.normal(size=(count, model.noise_size)).astype(np.float32))
    return lambda: step((batch,) * config.generator_updates_per_step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    configs = {
        label: dataclasses.replace(config, precision=arguments.precision)
        for label, config in recipes().items()
    }
    reproducibility.enforce(next(iter(configs.values())))
    steps = {label: create_random_step(config) for label, config in configs.items()}
    for step in steps.values():
        for _ in range(2):
            seconds(step)
    times = {label: [] for label in steps}
    for _ in range(arguments.rounds):
        for label, step in steps.items():
            times[label] += [seconds(step) for _ in range(_STEPS_PER_ROUND)]
    print("| recipe | batch size | ms per step |\n|---|---|---|")
    for label, found in times.items():
        low, median, high = (1000 * f(found) for f in (min, statistics.median, max))
        print(f"| {label} | {configs[label].batch_size} | {median:.0f} ({low:.0f} to {high:.0f}) |")


if __name__ == "__main__":
    main()
