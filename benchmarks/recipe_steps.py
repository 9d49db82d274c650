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

from benchmarks.training_step import project_step, seconds
from discogan_tf.config import Config
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.flagfile import from_flagfile
from discogan_tf.runs import reproducibility

_ROOT = Path(__file__).parents[1]
_STEPS_PER_ROUND = 4


def recipes() -> dict[str, Config]:
    """Label -> settings."""
    default = Config()
    return {
        "`bags_shoes.cfg`": default,
        "the same, `--discriminator_normalization=batch`": dataclasses.replace(
            default, discriminator_normalization="batch"
        ),
        "the same, `--identity_weight=0`": dataclasses.replace(default, identity_weight=0.0),
        "0.1.0": dataclasses.replace(default, **PAPER_SETTINGS),
        "`cyclegan_64.cfg`": from_flagfile((_ROOT / "cyclegan_64.cfg").read_text()),
    }


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
    steps = {label: project_step(config)[0] for label, config in configs.items()}
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
