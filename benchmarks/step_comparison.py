"""The training step beside the chapter's and PyTorch's, interleaved in one run: a Markdown table.

    pip install torch==2.13.0
    python -m benchmarks.step_comparison --precision=bfloat16 --batch_size=64 --rounds=5
    python -m benchmarks.step_comparison --flagfile=cyclegan_64.cfg
    python -m benchmarks.step_comparison --flagfile=stackgan_stage1.cfg

Without PyTorch its rows are left out. Two rows of DiscoGAN have the chapter's schedule, two updates
of the generators per step: the chapter's own program, in float32 as printed, and this project's.
Flagfiles of CycleGAN and StackGAN compare their networks at the sizes that they name: CycleGAN
without stored translations, StackGAN with the paper's batch norm. Compiling takes minutes.
"""

import argparse
import dataclasses
import os
import statistics
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from benchmarks.chapter import Chapter
from benchmarks.recipe_steps import create_random_step
from benchmarks.training_step import products, project_step, random_batch, seconds
from discogan_tf import text
from discogan_tf.config import Config
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.flagfile import from_flagfile
from discogan_tf.runs import reproducibility

_PROJECT, _PROJECT_TWO = "this project", "this project, two updates of the generators"
_CHAPTER = "the chapter's order of work, two updates, float32"


def _torch_steps(config: Config) -> dict:
    """Name -> step of PyTorch with the same networks."""
    try:
        import torch

        from benchmarks import torch_cyclegan, torch_stackgan, torch_step
    except ImportError:
        print("PyTorch is not installed: its rows are left out.")
        return {}
    torch.manual_seed(0)
    count, bfloat16 = config.batch_size, config.precision == "bfloat16"
    images = random_batch(count, config.image_size)
    a, b = (torch.tensor(x).permute(0, 3, 1, 2) for x in images.values())
    inputs, settings, make = (a, b), {}, torch_step.Step
    if config.model == "stackgan":
        texts = torch.randint(0, text.NUM_CHARACTERS, (2, count, text.LENGTH))
        conditions = 2 if config.stage_1_size else 1
        noise = torch.randn(count, conditions * config.condition_size + config.noise_size)
        inputs, settings = (a, *texts, noise), {"config": config}
        make = torch_stackgan.Step
    elif config.architecture == "resnet":
        # 0 stands for the paper's.
        base, blocks = config.base_filters or 64, config.residual_blocks
        settings = {
            "generator": lambda: torch_cyclegan.Generator(base, blocks),
            "discriminator": lambda: torch_cyclegan.Discriminator(base, config.patch_layers),
            "loss": torch_step.LEAST_SQUARES,
            "identity_weight": config.identity_weight,
        }
    steps = {variant: make(variant, bfloat16, **settings) for variant in torch_step.VARIANTS}
    return {
        f"PyTorch {torch.__version__.partition('+')[0]}, {variant}": lambda step=step: step(*inputs)
        for variant, step in steps.items()
    }


def _chapters_step(batch_size: int):
    batch = tuple(tf.constant(images) for images in random_batch(batch_size).values())
    chapter = Chapter()
    return lambda: chapter.step(batch, batch)


def _config(values) -> Config:
    """The settings to compare: the same work in all."""
    if not values.flagfile:
        # The others know neither identity nor color losses.
        config = Config(precision=values.precision, **PAPER_SETTINGS)
        return dataclasses.replace(config, batch_size=values.batch_size or 64)
    config = from_flagfile(Path(values.flagfile).read_text())
    if config.model == "stackgan":
        changed = {"normalization": "batch", "discriminator_normalization": "batch"}
    elif config.architecture == "resnet":
        changed = {"replay_images": 0}
    else:
        raise ValueError(f"{values.flagfile}: neither CycleGAN nor StackGAN")
    batch_size = values.batch_size or config.batch_size
    return dataclasses.replace(config, precision=values.precision, batch_size=batch_size, **changed)


def compare(config: Config, rounds: int) -> tuple[dict, dict, list[float]]:
    """Seconds of each round.

    Args:
      config: Of the step; that of DiscoGAN is also taken with two updates of the generators.
      rounds: How many.

    Returns:
      Name -> seconds of its steps; name -> 10^9 operations per pair, of the project's own; and the
      rate of matrix products, 10^9 operations per second, measured after each step.
    """
    reproducibility.enforce(config)
    multiply, product_gflop = products(config.precision)
    steps, work = {_PROJECT: create_random_step(config), **_torch_steps(config)}, {}
    if config.architecture == "chapter" and config.model == "discogan":
        steps[_PROJECT], work[_PROJECT] = project_step(config)
        two = dataclasses.replace(config, generator_updates_per_step=2)
        steps[_PROJECT_TWO], work[_PROJECT_TWO] = project_step(two)
        steps[_CHAPTER] = _chapters_step(config.batch_size)
    for function in (*steps.values(), multiply) * 2:
        seconds(function)
    found, rates = {name: [] for name in steps}, []
    for _ in range(rounds):
        for name, function in steps.items():
            found[name].append(seconds(function))
            rates.append(product_gflop / seconds(multiply))
    return found, work, rates


def table(batch_size: int, found: dict, gflop: dict, rates: list[float]) -> str:
    """Markdown: medians and ranges, in relation to each other and to matrix products."""
    speeds = {name: [batch_size / second for second in times] for name, times in found.items()}
    middle = {name: statistics.median(values) for name, values in speeds.items()}
    best = max((middle[name] for name in middle if name.startswith("PyTorch")), default=None)
    rate = statistics.median(rates)
    lines = [
        "| step | pairs/s | against the best of PyTorch | GFLOP/s, and of matrix products |",
        "|---|---|---|---|",
    ]
    for name, values in speeds.items():
        single = best and name not in (_PROJECT_TWO, _CHAPTER)
        against = f"{middle[name] / best:.2f}" if single else ""
        flop = middle[name] * gflop[name] if name in gflop else None
        of_limit = f"{flop:.0f}, {flop / rate:.2f} of {rate:,.0f}" if flop else ""
        spread = f"{middle[name]:.1f} ({min(values):.1f} to {max(values):.1f})"
        lines.append(f"| {name} | {spread} | {against} | {of_limit} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--flagfile", help="Of CycleGAN or StackGAN; DiscoGAN without.")
    parser.add_argument("--batch_size", type=int, help="Default: that of the flagfile, or 64.")
    parser.add_argument("--rounds", type=int, default=5)
    values = parser.parse_args()
    config = _config(values)
    print(table(config.batch_size, *compare(config, values.rounds)))


if __name__ == "__main__":
    main()
