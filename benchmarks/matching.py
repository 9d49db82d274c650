"""Whether a translation helps to find the items that match: agreement of color and usage.

    tar xzf fashion_captions.tar.gz
    python -m benchmarks.matching --table=fashion_captions/captions.tsv --workdir=runs/folders

Each query is compared with a catalog of another category, whose rows say color and usage. Reported
is the share of the ten nearest items that have the query's, with 95 % bootstrap intervals over
queries. Queries are not among the run's training images: their file names are those of its
validation images, or with --all_queries any.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

import discogan_tf
from discogan_tf import images as pixels
from discogan_tf.data.domains import load_domain
from discogan_tf.evaluation.color import foreground_colors, hue_histograms
from discogan_tf.evaluation.efficientnet_lite import create_extractor
from discogan_tf.matching.features import SIZE, Features, fit

_NEAREST, _RESAMPLES = 10, 1000


def _read(rows: list[dict], folder: Path) -> np.ndarray:
    return np.stack([pixels.read_image(folder / row["image"], SIZE) for row in rows])


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared Euclidean, [n, m], up to a constant for each row."""
    return (other**2).sum(1) - 2 * one @ other.T


def _with_interval(values: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    samples = values[rng.integers(0, len(values), (_RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(samples, [0.025, 0.975])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def _features(images: dict[str, np.ndarray], catalog: str, discriminate) -> dict:
    """Name of a kind of features -> for each set of images, float [n, d]."""
    scaled = {name: pixels.to_float(value).numpy() for name, value in images.items()}
    extract = create_extractor()
    combined, _ = fit(images[catalog])
    network = {name: extract(value)[0] for name, value in scaled.items()}

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return {
        "foreground color": {n: foreground_colors(x) for n, x in scaled.items()},
        "hues": {n: np.sqrt(hue_histograms(x)) for n, x in scaled.items()},
        "color and hues": {n: Features()(x) for n, x in images.items()},
        "ImageNet features": {n: unit(x) for n, x in network.items()},
        "discriminator's features": {n: unit(discriminate(x)) for n, x in scaled.items()},
        "all of the index": {n: combined(x) for n, x in images.items()},
    }


def _discriminator(workdir: Path, direction: str):
    """The last features of the target domain's discriminator, averaged over the image."""
    import tensorflow as tf

    from discogan_tf.models import create_model
    from discogan_tf.models.contract import by_display_name
    from discogan_tf.runs.checkpoints import last_checkpoint
    from discogan_tf.runs.workdir import read_config

    config = read_config(workdir)
    model = create_model(config, tf.float32)
    network = model.discriminators[by_display_name(model, config.display_names)[direction].target]
    variables = {variable.path: variable.value for variable in network.variables}
    checkpoint = tf.train.Checkpoint(discriminators=variables)
    checkpoint.read(last_checkpoint(workdir / "checkpoints")).expect_partial()

    def run(images):
        parts = []
        for start in range(0, len(images), 64):
            _, features = network(tf.constant(images[start : start + 64]), training=False)
            parts.append(tf.reduce_mean(features[-1], [1, 2]).numpy())
        return np.concatenate(parts)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--direction", default="bags2shoes")
    parser.add_argument("--query_category", default="Bags")
    parser.add_argument("--catalog_category", default="Shoes")
    parser.add_argument("--all_queries", action="store_true")
    values = parser.parse_args()
    with values.table.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    translator = discogan_tf.load(values.workdir)
    queries = [row for row in rows if row["category"] == values.query_category]
    if not values.all_queries:
        config = translator.config
        held_out = load_domain(config.data_dir, config.domain_a, "val", config.image_size).names
        known = {Path(name).name for name in held_out}
        queries = [row for row in queries if Path(row["image"]).name in known]
    catalog = [row for row in rows if row["category"] == values.catalog_category]
    print(f"{len(queries)} queries, {len(catalog)} items, {values.workdir}, step {translator.step}")
    images = {
        name: _read(x, values.table.parent)
        for name, x in (("query", queries), ("catalog", catalog))
    }
    translated = translator.translate(list(images["query"]), values.direction)
    images["translation"] = np.stack([pixels.enlarge(image, SIZE) for image in translated])
    discriminate = _discriminator(values.workdir, values.direction)
    columns = ("colour", "usage")
    labels = {
        column: [np.array([row[column] for row in x]) for x in (queries, catalog)]
        for column in columns
    }
    print("| compared | features | color | usage |\n|---|---|---|---|")
    chance = [
        _with_interval((of_queries[:, None] == of_catalog).mean(1))
        for of_queries, of_catalog in labels.values()
    ]
    print(f"| chance | | {' | '.join(chance)} |")
    for kind, found in _features(images, "catalog", discriminate).items():
        for compared in ("query", "translation"):
            distances = _distances(found[compared], found["catalog"])
            nearest = np.argpartition(distances, _NEAREST, axis=1)[:, :_NEAREST]
            agreement = [
                _with_interval((of_catalog[nearest] == of_queries[:, None]).mean(1))
                for of_queries, of_catalog in labels.values()
            ]
            print(f"| {compared} | {kind} | {' | '.join(agreement)} |", flush=True)


if __name__ == "__main__":
    main()
