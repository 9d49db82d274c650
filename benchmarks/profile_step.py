"""Where the time of a training step goes, by kinds of operations, from TensorFlow's profiler.

    python -m benchmarks.profile_step --precision=bfloat16 --batch_size=64

The step has the paper's objective and batch norm. Two operations run at a time, so that the sum of
all is about twice the time of the step.
"""

import argparse
import collections
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.training_step import project_step, seconds
from discogan_tf.config import Config
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.runs import reproducibility

_STEPS = 5
# Events of the executor, which hold those of operations.
_NO_OPERATIONS = ("Process", "Run", " ")


def profile(config: Config) -> tuple[float, dict[str, tuple[float, float]]]:
    """Milliseconds of a step; and kind of operation -> its milliseconds and number in a step."""
    reproducibility.enforce(config)
    step, _ = project_step(config)
    for _ in range(3):
        seconds(step)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        times = [seconds(step) for _ in range(_STEPS)]
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    milliseconds, number = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # "node name:Kind"; what has no colon is no operation.
                kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                name = kind[2].partition("#")[0]
                if (
                    kind[1]
                    and kind[0]
                    and not kind[0].startswith("$")
                    and not name.startswith(_NO_OPERATIONS)
                ):
                    milliseconds[name] += event.duration_ps / 1e9 / _STEPS
                    number[name] += 1 / _STEPS
    return sum(times) / _STEPS * 1e3, {
        kind: (time, number[kind]) for kind, time in milliseconds.most_common()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--lines", type=int, default=20, help="how many kinds to show")
    values = parser.parse_args()
    config = Config(precision=values.precision, batch_size=values.batch_size, **PAPER_SETTINGS)
    step, kinds = profile(config)
    total = sum(time for time, _ in kinds.values())
    print(f"a step: {step:.0f} ms; all operations: {total:.0f} ms")
    for kind, (time, number) in list(kinds.items())[: values.lines]:
        print(f"{time:8.1f} ms {time / total:6.1%} {number:6.0f} x {kind}")


if __name__ == "__main__":
    main()
