"""Time and memory to load a large prepared domain for training, in memory and from disk.

    python -m benchmarks.loading --images=200000

Writes a domain of that many images of noise into a temporary folder, then loads it as training
does and takes batches: once held in memory, once read from disk. Each runs in its own process,
whose peak memory, including TensorFlow's, is printed beside that of TensorFlow alone.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from data_prep.domain_writer import DomainWriter
from data_prep.limits import LeftOut

_SIZE, _BATCH_SIZE, _BATCHES = 64, 64, 400


def write_noise(data_dir: Path, count: int) -> None:
    """Prepares a domain "noise" of `count` images of 64 pixels."""
    rng = np.random.default_rng(0)
    with DomainWriter(data_dir, "noise", _SIZE) as writer:
        for start in range(0, count, 1000):
            for number, image in enumerate(
                rng.integers(0, 256, (1000, _SIZE, _SIZE, 3), dtype=np.uint8)
            ):
                writer.add("train", f"{start + number:08}.png", image)
        writer.finish({"source": {}, "method": "noise"}, LeftOut())


def _load(data_dir: str, cache_bytes: int) -> dict:
    """Seconds to the first batch, pairs per second after it, a digest of the order, peak memory."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import tensorflow as tf

    from discogan_tf.data.domains import cached, load_domain
    from discogan_tf.data.pipeline import BatchPlan, training_batches

    float(tf.reduce_sum(tf.ones(3)))
    alone = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    images = cached(load_domain(data_dir, "noise", "train", _SIZE).images, cache_bytes)
    batches = iter(training_batches({"a": images, "b": images}, BatchPlan(_BATCH_SIZE)))
    next(batches)
    first = time.perf_counter() - started
    rates, sums = [], []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(_BATCHES // 5):
            (batch,) = next(batches)
        sums.append(float(tf.reduce_sum(batch["a"])))
        rates.append(_BATCHES // 5 * _BATCH_SIZE / (time.perf_counter() - started))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"secs": first, "pairs_per_sec": statistics.median(rates), "sums": sums,
            "peak_mib": peak // 1024, "tensorflow_mib": alone // 1024}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--cache_bytes", type=int, default=1 << 40, help=argparse.SUPPRESS)
    values = parser.parse_args()
    if values.load:
        print(json.dumps(_load(values.load, values.cache_bytes)))
        return
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        write_noise(Path(folder), values.images)
        print(f"written: {values.images:,} images in {time.perf_counter() - started:.1f} s")
        sums = []
        for words, cache_bytes in (("in memory", 1 << 40), ("from the disk", 0)):
            command = [
                sys.executable,
                "-m",
                "benchmarks.loading",
                f"--load={folder}",
                f"--cache_bytes={cache_bytes}",
            ]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            sums.append(found["sums"])
            print(
                f"{words}: first batch after {found['secs']:.1f} s, then "
                f"{found['pairs_per_sec']:,.0f} pairs/s; at most {found['peak_mib']} MiB, of which "
                f"TensorFlow alone {found['tensorflow_mib']}"
            )
        print("the same batches" if sums[0] == sums[1] else "OTHER BATCHES")


if __name__ == "__main__":
    main()
