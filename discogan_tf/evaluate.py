"""Says in numbers how good a run's translations are.

    python -m discogan_tf.evaluate --workdir=runs/bags_shoes --split=val --output=metrics.json

Prints a table, and writes it as JSON. Exit status: 0 when done, 1 on an error that the message explains.
"""

import dataclasses
import json
import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.checkpoint_names import CHECKPOINT_HELP
from discogan_tf.errors import ConfigError, DiscoganError
from discogan_tf.quiet import quiet_libraries


def evaluate(
    workdir: Path,
    split: str,
    checkpoint: str = "last",
    num_pictures: int = 200,
    resamples: int = 200,
    feature_weights: Path | None = None,
    data_dir: str | None = None,
) -> dict:
    """Measures both directions of a run.

    Args:
      workdir: Folder of a trained run.
      split: "val", or "train".
      checkpoint: As `restore_generators` takes it.
      num_pictures: How many of each domain to translate, evenly spaced; all if there are fewer.
      resamples: Samples for each bootstrap interval.
      feature_weights: File for Fréchet and kernel distance; None to leave them out.
      data_dir: Where the domains are prepared, if they moved.

    Returns:
      {"step", "split", "image_size", "directions": {name: {metric: `Measurement` as a dict}}}.

    Raises:
      ConfigError, CheckpointError, DataError: if the run or its pictures are missing.
    """
    import tensorflow as tf
    from tqdm import tqdm

    from discogan_tf.checkpoints import restore_generators
    from discogan_tf.data.domains import load_domain, thinned
    from discogan_tf.evaluation import features, metrics
    from discogan_tf.evaluation.view import Viewer
    from discogan_tf.models import create_model
    from discogan_tf.training.workdir import read_config

    config = read_config(workdir)
    if data_dir:
        config = dataclasses.replace(config, data_dir=data_dir)
    extract = features.create_extractor(feature_weights) if feature_weights else None
    model = create_model(config, tf.float32)
    step = restore_generators(workdir, model, checkpoint)
    held_out, training = {}, {}
    for key, domain in (("a", config.domain_a), ("b", config.domain_b)):
        held_out[key] = thinned(
            load_domain(config.data_dir, domain, split, config.image_size), num_pictures
        )
        training[key] = load_domain(config.data_dir, domain, "train", config.image_size).images
    directions = {}
    for name, view in tqdm(
        Viewer(model, config, held_out, training).views().items(), unit="direction", delay=1
    ):
        found = metrics.measure(view, resamples)
        if extract:
            found |= features.measure(view, resamples, extract)
        directions[name] = {metric: dataclasses.asdict(value) for metric, value in found.items()}
    return {"step": step, "split": split, "image_size": config.image_size, "directions": directions}


def table(report: dict) -> str:
    """The report for people: a line for each metric, a column for each direction."""
    directions = report["directions"]
    metrics = list(next(iter(directions.values())))
    rows = [["", *directions, "floor (real pictures, chance)", "better"]]
    for metric in metrics:
        entries = [directions[name][metric] for name in directions if metric in directions[name]]
        floors = " / ".join(_number(entry["floor"]) for entry in entries if entry["floor"] is not None)
        rows.append([metric, *map(_cell, entries), floors, entries[0]["better"]])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    counts = sorted({entry["count"] for found in directions.values() for entry in found.values()})
    notes = sorted(
        {f"{m}: {e['note']}" for found in directions.values() for m, e in found.items() if e["note"]}
    )
    counted = " to ".join(map(str, sorted({counts[0], counts[-1]})))
    lines += [
        "",
        f"{counted} pictures for a metric, split {report['split']}, of {report['image_size']} pixels "
        "as they were prepared (mean over areas); outputs rounded to 8 bits.",
        "In brackets a bootstrap interval of 95 %.",
        *notes,
    ]
    return "\n".join(lines)


def _cell(entry: dict) -> str:
    interval = f" [{_number(entry['low'])}, {_number(entry['high'])}]" if entry["low"] is not None else ""
    return _number(entry["value"]) + interval


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    quiet_libraries()
    values = flags.FLAGS
    try:
        if values.num_pictures < 2:
            raise ConfigError("--num_pictures: two pictures at least are needed")
        weights = Path(values.feature_weights) if values.feature_weights else None
        report = evaluate(
            Path(values.workdir), values.split, values.checkpoint, values.num_pictures, values.resamples,
            weights, values.data_dir,
        )  # fmt: skip
        print(f"{values.workdir}, step {report['step']}\n\n{table(report)}")
        if weights is None:
            print("Frechet and kernel distance need a network's weights: see --feature_weights.")
        if values.output:
            Path(values.output).parent.mkdir(parents=True, exist_ok=True)
            Path(values.output).write_text(json.dumps(report, indent=1) + "\n")
            print(f"Written to {values.output}.")
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_enum("split", "val", ["val", "train"], "Which pictures to translate.")
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_string("output", None, "File for the numbers as JSON.")
    flags.DEFINE_integer("num_pictures", 200, "Pictures of each domain, evenly spaced.")
    flags.DEFINE_integer(
        "resamples", 200, "Samples for each bootstrap interval; 0 for none.", lower_bound=0
    )
    flags.DEFINE_string(
        "feature_weights", None, "Keras InceptionV3 weights (.h5), for Frechet and kernel distance."
    )
    flags.DEFINE_string("data_dir", None, "Where the run's domains are prepared, if they moved.")
    app.run(main)
