"""How time and memory grow with the data set, the batch and the images: a table and a figure.

    python -m benchmarks.growth --output=growth.png
    python -m benchmarks.growth --flagfile=cyclegan_64.cfg

Each point is measured in its own process: the training step, on images of noise, with the peak
memory of the process; and loading a prepared data set to the first batch, from memory and from
disk. The step has the paper's objective and batch norm. It takes about ten minutes, and 3 GB of a
temporary folder. With a flagfile, only the sizes of images are measured, with its settings.
"""

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.loading import write_noise

_BATCH_SIZES = (1, 4, 16, 64, 256)
_OF_IMAGES = 16  # The batch in which sizes of images are compared.
_IMAGE_SIZES = (64, 128, 256)
_IMAGES = (1_000, 10_000, 50_000, 200_000)
_STEPS = 5


def _step(flagfile: str, precision: str, batch_size: int, image_size: int) -> dict:
    """Pairs per second and peak memory in MiB of this process."""
    from benchmarks.training_step import project_step, seconds
    from discogan_tf.config import Config
    from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
    from discogan_tf.flagfile import from_flagfile
    from discogan_tf.runs import reproducibility

    config = dataclasses.replace(
        from_flagfile(Path(flagfile).read_text()) if flagfile else Config(**PAPER_SETTINGS),
        precision=precision,
        batch_size=batch_size,
        image_size=image_size,
    )
    reproducibility.enforce(config)
    step, _ = project_step(config)
    for _ in range(2):
        seconds(step)
    secs = statistics.median(seconds(step) for _ in range(_STEPS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"pairs_per_sec": batch_size / secs, "peak_mib": peak}


def _in_a_process(module: str, *flags: str) -> dict:
    command = [sys.executable, "-m", module, *flags]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(precision: str, flagfile: str = "") -> dict[str, dict[int, dict]]:
    """Of "batch_size", "image_size", "in_memory" and "on_disk": value -> its measurements.

    Only of "image_size" for the settings of a flagfile.
    """

    def step(batch_size, image_size):
        flags = (f"--flagfile={flagfile}", f"--precision={precision}")
        return _in_a_process("benchmarks.growth", *flags, f"--step={batch_size},{image_size}")

    if flagfile:
        return {"image_size": {size: step(_OF_IMAGES, size) for size in _IMAGE_SIZES}}
    batches = {size: step(size, 64) for size in _BATCH_SIZES}
    images = {64: batches[_OF_IMAGES]}
    images |= {size: step(_OF_IMAGES, size) for size in _IMAGE_SIZES[1:]}
    found = {"batch_size": batches, "image_size": images, "in_memory": {}, "on_disk": {}}
    for count in _IMAGES:
        with tempfile.TemporaryDirectory() as folder:
            write_noise(Path(folder), count)
            for where, cache_bytes in (("in_memory", 1 << 40), ("on_disk", 0)):
                flags = (f"--load={folder}", f"--cache_bytes={cache_bytes}")
                found[where][count] = _in_a_process("benchmarks.loading", *flags)
    return found


def table(found: dict) -> str:
    """The measurements as Markdown."""
    lines = [
        "| what grows | | pairs/s | MiB at the peak | s to the first batch |",
        "|---|---|---|---|---|",
    ]
    words = {
        "batch_size": "batch, images of 64 pixels",
        "image_size": f"pixels, batches of {_OF_IMAGES}",
        "in_memory": "images of a domain, in memory: input alone",
        "on_disk": "the same, read from the disk",
    }
    for kind, points in found.items():
        for value, point in points.items():
            first = f"{point['secs']:.1f}" if "secs" in point else ""
            cells = (
                words[kind],
                f"{value:,}",
                f"{point['pairs_per_sec']:,.4g}",
                f"{point['peak_mib']:,}",
                first,
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: dict, path: Path) -> None:
    """The figure: one column for each kind of growth; rows for time and memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(2, 3)
    per_pair = {
        kind: {v: 1e3 / p["pairs_per_sec"] for v, p in found[kind].items()} for kind in found
    }
    firsts = {
        kind: {v: p["secs"] for v, p in found[kind].items()} for kind in ("in_memory", "on_disk")
    }
    for column, (kinds, label, times, unit) in enumerate(
        (
            (("batch_size",), "batch (64 pixels)", per_pair, "ms a pair, training"),
            (("image_size",), f"pixels (batch {_OF_IMAGES})", per_pair, "ms a pair, training"),
            (("in_memory", "on_disk"), "images of a domain", firsts, "s to the first batch"),
        )
    ):
        for kind in kinds:
            words = kind.replace("_", " ") if len(kinds) > 1 else None
            axes[0, column].plot(list(times[kind]), list(times[kind].values()), "o-", label=words)
            memory = {value: point["peak_mib"] / 1024 for value, point in found[kind].items()}
            axes[1, column].plot(list(memory), list(memory.values()), "o-", label=words)
        for row, name in enumerate((unit, "GiB at the peak")):
            axes[row, column].set(xlabel=label, ylabel=name, xscale="log", ylim=(0, None))
            values = list(found[kinds[0]])
            axes[row, column].set_xticks(values, [f"{value:,}" for value in values], minor=False)
            axes[row, column].minorticks_off()
            if len(kinds) > 1:
                axes[row, column].legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--output", type=Path, default=Path("growth.png"))
    parser.add_argument("--flagfile", default="", help="Settings, to measure sizes of images.")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    values = parser.parse_args()
    if values.step:
        shape = map(int, values.step.split(","))
        print(json.dumps(_step(values.flagfile, values.precision, *shape)))
        return
    found = measure(values.precision, values.flagfile)
    print(table(found))
    if not values.flagfile:
        draw(found, values.output)


if __name__ == "__main__":
    main()
