"""What a sample sheet costs: batch norm's statistics recomputed, and the drawing, on real pictures.

python -m benchmarks.sheets --data_dir=data
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.domains import load_domain
from discogan_tf.models import create_model
from discogan_tf.training.sheets import SampleSheets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    config = Config(data_dir=parser.parse_args().data_dir)
    pictures = {
        domain: load_domain(config.data_dir, name, "train", config.image_size).images[:]
        for domain, name in (("a", config.domain_a), ("b", config.domain_b))
    }
    sheets = SampleSheets(create_model(config, tf.float32), config, pictures, pictures)
    for name, work in (("statistics", sheets.recompute_statistics), ("sheet", sheets.draw)):
        work()
        seconds = []
        for _ in range(5):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
        print(f"{name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
