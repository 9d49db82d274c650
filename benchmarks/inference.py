"""Speed of an exported translation and of an evaluation, beside the rate of matrix products.

    python -m benchmarks.inference --data_dir=data

The exported graph, folded and with constant weights, as it is served; and `evaluate` of 200 images
each way with all metrics, beside their translations alone. The networks are untrained, which makes
no difference to the speed.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.training_step import forward_flop, products, seconds
from discogan_tf.config import Config
from discogan_tf.data.domains import load_domain, thinned
from discogan_tf.evaluation import metrics
from discogan_tf.evaluation.translations import TranslationEvaluator
from discogan_tf.export.bundle import folded_signatures, write_saved_model
from discogan_tf.models import create_inference_model
from discogan_tf.models.contract import SERVING_DEFAULT
from discogan_tf.runs import reproducibility

_IMAGES = 200


def _exported(model, folder: Path):
    write_saved_model(folder, folded_signatures(model)["a_to_b"])
    loaded = tf.saved_model.load(str(folder))
    translate = loaded.signatures[SERVING_DEFAULT]
    return lambda images: translate(images=images)["translated"], loaded


def _evaluation(config: Config, model):
    held_out, training = {}, {}
    for key, name in config.domains.items():
        held_out[key] = thinned(
            load_domain(config.data_dir, name, "val", config.image_size), _IMAGES
        )
        training[key] = load_domain(config.data_dir, name, "train", config.image_size).images[:]
    evaluator = TranslationEvaluator(model, config, held_out, training)

    def evaluate():
        for batch in evaluator.batches().values():
            metrics.measure(batch)

    return evaluator.batches, evaluate, sum(len(domain.names) for domain in held_out.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--rounds", type=int, default=5)
    values = parser.parse_args()
    config = Config(data_dir=values.data_dir)
    reproducibility.enforce(config)
    model = create_inference_model(config)
    gflop = forward_flop(model.generators["a_to_b"], config.image_size) / 1e9
    multiply, product_gflop = products("float32")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        translate, _loaded = _exported(model, Path(folder))
        batches, evaluate, image_count = _evaluation(config, model)
        works = {
            f"exported translator, batch {size}": (lambda images=images: translate(images), size, 1)
            for size, images in (
                (size, tf.constant(rng.random((size, 64, 64, 3), np.float32))) for size in (1, 64)
            )
        }
        works["translating for an evaluation"] = (batches, image_count, 1)
        # A translation, a reconstruction, and two more of steganography.
        works["evaluation, all metrics"] = (evaluate, image_count, 4)
        found, rates = {name: [] for name in works}, []
        for work, *_ in (*works.values(), *works.values()):
            seconds(work)
        for _ in range(values.rounds):
            for name, (work, *_) in works.items():
                # One image is over in milliseconds.
                found[name] += [seconds(work) for _ in range(20 if "batch 1" in name else 1)]
            rates += [product_gflop / seconds(multiply) for _ in range(5)]
    rate = statistics.median(rates)
    print("| what | images/s | GFLOP/s of matrix products' | s an image |\n|---|---|---|---|")
    for name, (_, count, passes) in works.items():
        speeds = [count / secs for secs in found[name]]
        middle = statistics.median(speeds)
        flop = middle * gflop * passes
        print(
            f"| {name} | {middle:,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f}) "
            f"| {flop:.0f}, {flop / rate:.2f} of {rate:.0f} | {1 / middle:.4f} |"
        )


if __name__ == "__main__":
    main()
