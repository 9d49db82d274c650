"""What happens when one of CycleGAN's discriminators never learns what is real.

    python -m data_prep sample --data_dir=data
    python -m discogan_tf.experiments.half_trained_discriminator --data_dir=data \\
        --output_dir=runs/half_trained_discriminator

The notebook of an article about CycleGAN calls `backward` on one term of the loss of its second
discriminator, that of translations, instead of on the whole loss. Trains a small CycleGAN with and
without this fault, on the same batches, and prints the discriminators' losses as the notebook does:
half of the sum of the terms for real images and for translations. Writes `losses.md`, `losses.png`
and `translations.png`.
"""

import argparse
from pathlib import Path

_ROWS = 10
_SHOWN = 8
# Label of a case -> the losses that do not count.
CASES = {
    "both learn": (),
    "discriminator_b sees no real images": ("discriminator_b_real",),
}
_SETTINGS = {
    "domain_a": "sample_edges2handbags/photo",
    "domain_b": "sample_edges2shoes/photo",
    "architecture": "resnet",
    "base_filters": 16,
    "residual_blocks": 3,
    "normalization": "instance",
    "discriminator_normalization": "instance",
    "adversarial_loss": "least_squares",
    "discriminator_weight": 0.5,
    "replay_images": 50,
    "color_weight": 0.0,
    "learning_rate": 2e-4,
    "beta_1": 0.5,
    "learning_rate_hold_steps": 0,
    "batch_size": 4,
}


def train(config, without: tuple[str, ...]):
    """Trains without saving anything.

    Args:
      config: The run's settings, a `Config`.
      without: Losses that do not count.

    Returns:
      Of every step: "discriminator_a", "discriminator_b" -> half of its two losses. And the first
      validation images of domain a and their translations, uint8 [n, size, size, 3] each.
    """
    import keras
    import tensorflow as tf
    from tqdm import tqdm

    from discogan_tf import images as pixels
    from discogan_tf.data.distributed import DistributedInput
    from discogan_tf.data.domains import load_domain, load_training
    from discogan_tf.models import create_model
    from discogan_tf.training.schedules import step_policies
    from discogan_tf.training.step import create_optimizers, create_step

    keras.utils.set_random_seed(config.seed)
    model = create_model(config, tf.as_dtype(config.precision))
    policies = step_policies(config, model)
    strategy = tf.distribute.get_strategy()

    def loss_weights(step):
        return model.loss_weights(step) | dict.fromkeys(without, 0.0)

    step = create_step(
        model,
        create_optimizers(model, config),
        strategy,
        **policies | {"loss_weights": loss_weights},
    )
    training = {
        stream: domain.images[:]
        for stream, domain in load_training(config, config.image_size).items()
    }
    elements = DistributedInput(strategy, config, training, len(policies["updates"])).elements()
    losses = []
    for number in tqdm(range(1, config.num_steps + 1), unit="step"):
        found = step(next(elements), tf.constant(number, tf.int64))
        losses.append(
            {
                f"discriminator_{domain}": float(
                    found[f"discriminator_{domain}_real"] + found[f"discriminator_{domain}_fake"]
                )
                / 2
                for domain in ("a", "b")
            }
        )
    images = load_domain(config.data_dir, config.domain_a, "val", config.image_size).images
    inputs = images[:_SHOWN]
    return losses, (inputs, pixels.to_uint8(model.generators["a_to_b"](pixels.to_float(inputs))))


def table(losses: dict[str, list[dict[str, float]]]) -> str:
    """A Markdown table: means over ten equal parts of the run.

    Args:
      losses: Label of a run -> what `train` returned.
    """
    count = len(next(iter(losses.values())))
    columns = [(label, name) for label in losses for name in ("discriminator_a", "discriminator_b")]
    lines = [
        "| steps | " + " | ".join(f"{name}: {label}" for label, name in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for part in range(_ROWS):
        start, end = part * count // _ROWS, (part + 1) * count // _ROWS
        means = [
            sum(step[name] for step in losses[label][start:end]) / max(1, end - start)
            for label, name in columns
        ]
        lines.append(f"| {start + 1}-{end} | " + " | ".join(f"{x:.3f}" for x in means) + " |")
    return "\n".join(lines) + "\n"


def draw(losses: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Writes the curves as a PNG. `losses` is as for `table`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(losses), 3), layout="constrained")
    axes = figure.subplots(1, len(losses), sharey=True)
    for axis, (label, steps) in zip(axes, losses.items(), strict=True):
        for name in ("discriminator_a", "discriminator_b"):
            axis.plot([step[name] for step in steps], label=name, linewidth=1)
        axis.set(title=label, xlabel="step", ylim=(0, 1))
        axis.legend(frameon=False)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.experiments.half_trained_discriminator",
        description="Trains a small CycleGAN with and without a fault in its second discriminator.",
    )
    parser.add_argument("--data_dir", default="data", help="folder of the prepared sample (data)")
    parser.add_argument(
        "--output_dir", type=Path, default=Path("runs/half_trained_discriminator"),
        help="where tables and figures go",
    )  # fmt: skip
    parser.add_argument("--num_steps", type=int, default=600, help="steps of each run (600)")
    arguments = parser.parse_args()
    if arguments.num_steps < _ROWS:
        parser.error(f"--num_steps={arguments.num_steps}: must be at least {_ROWS}")
    from discogan_tf.startup import exit_on_errors, silence_startup_logs

    with exit_on_errors():
        silence_startup_logs()
        from discogan_tf import images as pixels
        from discogan_tf.config import Config
        from discogan_tf.hardware import resolve_precision

        config = Config(
            data_dir=arguments.data_dir, num_steps=arguments.num_steps,
            precision=resolve_precision("auto"), **_SETTINGS,
        )  # fmt: skip
        losses, rows = {}, {}
        for label, without in CASES.items():
            print(f"\n{label}:")
            losses[label], (rows["handbags"], rows[label]) = train(config, without)
        folder = arguments.output_dir
        folder.mkdir(parents=True, exist_ok=True)
        text = table(losses)
        (folder / "losses.md").write_text(text)
        draw(losses, folder / "losses.png")
        pixels.write_image(folder / "translations.png", pixels.draw_grid(rows))
        print(f"\n{text}\nWritten to {folder}: losses.md, losses.png and translations.png.")


if __name__ == "__main__":
    main()
