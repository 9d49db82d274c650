"""Trains the chapter's program as printed on real photos, and evaluates it with the same metrics.

    python -m benchmarks.against_chapter --archives=downloads --data_dir=data --batch_size=16 \\
        --num_steps=1600 --output_dir=runs/chapter_as_printed

Each step takes two batches. Ten times during training it translates the prepared validation images
and measures them with the metrics of `discogan_tf.evaluate`, twice: clipped to the range of an
image, and wrapped around, as its program would save them. Writes metrics.jsonl and a grid of each.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from tqdm import trange

from benchmarks.chapter import Chapter, as_saved, read_photos
from discogan_tf.data.domains import load_domain
from discogan_tf.evaluation import metrics, tables
from discogan_tf.evaluation.translations import EvalBatch
from discogan_tf.images import draw_grid, to_float, to_uint8, write_image

_DATASETS = {"a": "edges2handbags", "b": "edges2shoes"}
_NAMES = {"a_to_b": "handbags2shoes", "b_to_a": "shoes2handbags"}
_EVALUATIONS = 10
_COLUMNS = 10
# Images are translated in batches of this size, because its batch norm has no other statistics.
_BATCH_SIZE = 50


def _translate(network, images: np.ndarray) -> np.ndarray:
    starts = range(0, len(images), _BATCH_SIZE)
    return np.concatenate([network(images[i : i + _BATCH_SIZE]).numpy() for i in starts])


def _clipped(images: np.ndarray) -> np.ndarray:
    return to_float(to_uint8(images)).numpy()


def _eval_batch(
    chapter: Chapter, direction: str, held_out: dict, training: dict, finish
) -> EvalBatch:
    source, target = direction[0], direction[-1]
    fakes = _translate(chapter.generators[direction], held_out[source])
    inverse = chapter.generators[f"{target}_to_{source}"]
    return EvalBatch(
        inputs=held_out[source],
        outputs=finish(fakes),
        unrounded=fakes,
        targets=held_out[target],
        training=training[target],
        inverse=lambda images: _clipped(_translate(inverse, images)),
    )


def _evaluate(chapter: Chapter, held_out: dict, training: dict, resamples: int) -> dict[str, dict]:
    """How its images are finished -> a report, as returned by `evaluated_run.measure`."""
    reports = {}
    for name, finish in (("clipped", _clipped), ("as saved", as_saved)):
        directions = {
            _NAMES[direction]: {
                metric: dataclasses.asdict(value)
                for metric, value in metrics.measure(
                    _eval_batch(chapter, direction, held_out, training, finish), resamples
                ).items()
            }
            for direction in chapter.generators
        }
        reports[name] = {"split": "val", "image_size": 64, "directions": directions}
    return reports


def _grid(chapter: Chapter, held_out: dict) -> np.ndarray:
    rows = {}
    for direction in chapter.generators:
        images = held_out[direction[0]]
        chosen = np.linspace(0, len(images) - 1, _COLUMNS).astype(int)
        fakes = _translate(chapter.generators[direction], images)[chosen]
        name = _NAMES[direction]
        rows[f"{name}: input"] = images[chosen]
        rows[f"{name}: clipped"] = _clipped(fakes)
        rows[f"{name}: as saved"] = as_saved(fakes)
    return draw_grid(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", type=Path, required=True)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--num_steps", type=int, default=1600)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    values = parser.parse_args()
    values.output_dir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(values.seed)
    photos = {
        k: read_photos(values.archives / f"{name}.tar.gz", "train") for k, name in _DATASETS.items()
    }
    prepared = {
        split: {
            k: to_float(load_domain(values.data_dir, f"{name}/photo", split, 64).images[:]).numpy()
            for k, name in _DATASETS.items()
        }
        for split in ("train", "val")
    }
    chapter = Chapter()
    rng = np.random.default_rng(values.seed)

    def batch():
        return tuple(
            tf.constant(images[rng.integers(len(images), size=values.batch_size)])
            for images in photos.values()
        )

    training_secs = 0.0
    every = max(1, values.num_steps // _EVALUATIONS)
    for step in trange(1, values.num_steps + 1, unit="step"):
        started = time.perf_counter()
        losses = {name: float(value) for name, value in chapter.step(batch(), batch()).items()}
        training_secs += time.perf_counter() - started
        if step % every and step != values.num_steps:
            continue
        last = step == values.num_steps
        reports = _evaluate(chapter, prepared["val"], prepared["train"], 200 if last else 0)
        line = {
            "step": step,
            "pairs_seen": 2 * step * values.batch_size,
            "training_secs": round(training_secs, 1),
            "losses": losses,
            "reports": reports,
        }
        with (values.output_dir / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        write_image(values.output_dir / f"step_{step:06d}.png", _grid(chapter, prepared["val"]))
    for finish, report in reports.items():
        print(f"\n{finish}, after {2 * values.num_steps * values.batch_size:,} pairs\n")
        print(tables.in_columns(*tables.cells(report)))


if __name__ == "__main__":
    main()
