"""The paper's toy experiment: GAN, GAN with reconstruction and DiscoGAN on mixtures in the plane.

    python -m discogan_tf.experiments.toy --seeds=10 --output_dir=runs/toy

Two domains, 5 and 10 modes on circles (Kim et al. 2017, section 3.1 and figure 4), and the three
models with the same losses, schedules and step as for images; only the networks are small. Writes
`toy.png`, the translated points of the first seed during training over what the discriminator
classifies as real, and prints a table over all seeds, which it writes to `toy.md` and `toy.json`
too.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from discogan_tf.experiments import MODEL_NAMES

_SOURCE_MODES, _TARGET_MODES = 5, 10
_POINTS_PER_MODE = 200
_EXTENT = 3.0
_GRID = 120
# When points are plotted, as shares of all steps.
_MOMENTS = (0.0, 0.02, 0.1, 0.3, 1.0)


def train(model_name: str, seed: int, num_steps: int):
    """Trains a model on the two mixtures.

    Args:
      model_name: A name in `MODELS`.
      seed: Of weights and points.
      num_steps: How many steps.

    Returns:
      A list of (step, translated points [n, 2], D's probability of real on a grid [rows, columns]).
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from discogan_tf.config import Config
    from discogan_tf.experiments import mixtures
    from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
    from discogan_tf.models import MODELS
    from discogan_tf.networks.architectures import POINTS
    from discogan_tf.training.schedules import step_policies
    from discogan_tf.training.step import create_optimizers, create_step
    from discogan_tf.training.train_loop import create_train_loop

    config = Config(
        model=model_name, seed=seed, precision="float32", batch_size=200, learning_rate=1e-3,
        reconstruction_loss="mse", reconstruction_weight=1.0, **PAPER_SETTINGS,
    )  # fmt: skip
    keras.utils.set_random_seed(seed)
    model = MODELS[model_name](config, tf.float32, POINTS)
    strategy = tf.distribute.get_strategy()
    optimizers = create_optimizers(model, config)
    step = create_step(model, optimizers, strategy, **step_policies(config, model))
    train_loop = create_train_loop(step, strategy)
    centers = {"a": mixtures.circle(_SOURCE_MODES), "b": mixtures.circle(_TARGET_MODES)}
    elements = iter(mixtures.batches(centers, config.batch_size, seed))
    points, _ = mixtures.sample(centers["a"], _POINTS_PER_MODE)
    axis = np.linspace(-_EXTENT, _EXTENT, _GRID, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    moments, done = [], 0
    for share in _MOMENTS:
        until = int(share * num_steps)
        if until > done:
            train_loop(elements, done + 1, until - done)
            done = until
        logits, _ = model.discriminators["b"](grid)
        surface = tf.sigmoid(logits).numpy().reshape(_GRID, _GRID)
        moments.append((done, model.generators["a_to_b"](points).numpy(), surface))
    return moments


def draw(moments: dict, path: Path) -> None:
    """The figure: one row per model, one column per moment."""
    from matplotlib.figure import Figure

    from discogan_tf.experiments import mixtures

    _, modes = mixtures.sample(mixtures.circle(_SOURCE_MODES), _POINTS_PER_MODE)
    targets = mixtures.circle(_TARGET_MODES)
    figure = Figure(figsize=(2.6 * len(_MOMENTS), 2.7 * len(moments)), layout="constrained")
    axes = figure.subplots(len(moments), len(_MOMENTS), squeeze=False)
    for row, (name, model_moments) in zip(axes, moments.items(), strict=True):
        row[0].set_ylabel(MODEL_NAMES[name])
        for axis, (step, points, surface) in zip(row, model_moments, strict=True):
            extent = (-_EXTENT, _EXTENT, -_EXTENT, _EXTENT)
            axis.imshow(
                surface, extent=extent, origin="lower", cmap="Greys_r", vmin=0, vmax=1, alpha=0.6
            )
            axis.scatter(*points.T, s=3, c=modes, cmap="tab10", vmax=9)
            axis.scatter(*targets.T, marker="x", c="black", s=22, linewidths=1)
            axis.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[], title=f"step {step:,}")
    figure.savefig(path, dpi=110)


def table(found: dict) -> str:
    """The counts as Markdown: means over the seeds, with bootstrap intervals of 95 %.

    Args:
      found: Name of a model -> a `Mapping` for each seed.
    """
    from discogan_tf.evaluation import tables

    columns = {
        "target modes covered, of 10": "covered",
        "source modes that share a target, of 5": "shared",
        "seeds with one-to-one maps": "one_to_one",
        "points on a mode": "on_modes",
    }
    rows = []
    for name, mappings in found.items():
        values = [
            [float(getattr(mapping, field)) for mapping in mappings] for field in columns.values()
        ]
        rows.append([MODEL_NAMES[name], *map(_mean, values)])
    return tables.in_markdown(["", *columns], rows)


def _mean(values: list[float]) -> str:
    import numpy as np

    from discogan_tf.evaluation.measurement import bootstrap_interval

    values = np.array(values)
    low, high = bootstrap_interval(
        lambda sample: float(values[sample].mean()), len(values), resamples=2000
    )
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.experiments.toy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=10, help="number of runs of each model (10)")
    parser.add_argument("--num_steps", type=int, default=10_000, help="steps of each run (10000)")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/toy"))
    values = parser.parse_args()
    if values.seeds < 1 or values.num_steps < 1:
        parser.error("--seeds and --num_steps: at least 1")

    from discogan_tf.startup import exit_on_errors, silence_startup_logs

    with exit_on_errors():
        silence_startup_logs()
        _run(values)


def _run(values) -> None:
    from tqdm import tqdm

    from discogan_tf.experiments import mixtures

    targets = mixtures.circle(_TARGET_MODES)
    _, modes = mixtures.sample(mixtures.circle(_SOURCE_MODES), _POINTS_PER_MODE)
    values.output_dir.mkdir(parents=True, exist_ok=True)
    found, shown = {name: [] for name in MODEL_NAMES}, {}
    with tqdm(total=values.seeds * len(MODEL_NAMES), unit="run") as bar:
        for seed in range(values.seeds):
            for name in MODEL_NAMES:
                moments = train(name, seed, values.num_steps)
                found[name].append(mixtures.mapping(moments[-1][1], modes, targets))
                if seed == 0:
                    shown[name] = moments
                bar.update()
            if seed == 0:
                draw(shown, values.output_dir / "toy.png")
    markdown = table(found)
    (values.output_dir / "toy.md").write_text(markdown + "\n")
    records = {name: [dataclasses.asdict(mapping) for mapping in of] for name, of in found.items()}
    (values.output_dir / "toy.json").write_text(json.dumps(records, indent=1) + "\n")
    print(f"{markdown}\n\nThe first seed during training: {values.output_dir / 'toy.png'}")


if __name__ == "__main__":
    main()
