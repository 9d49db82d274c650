"""The cost of a sample grid on real images: batch-norm statistics, and the grid itself.

python -m benchmarks.sample_grids --data_dir=data
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
from discogan_tf.training.samples import SampleGrids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    config = Config(data_dir=parser.parse_args().data_dir)
    images = {
        domain: load_domain(config.data_dir, name, "train", config.image_size).images[:]
        for domain, name in config.domains.items()
    }
    grids = SampleGrids(create_model(config, tf.float32), config, images, images)
    for name, work in (("statistics", grids.reestimate_statistics), ("grid", grids.make)):
        work()
        seconds = []
        for _ in range(5):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
        print(
            f"{name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
        )


if __name__ == "__main__":
    main()
