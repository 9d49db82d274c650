"""Time of programs to answer `--help`, and of training to its first step.

    python -m benchmarks.start_up --data_dir=data

Training is that of bags_shoes.cfg, from prepared images, in its own process. For comparison: an
empty Python program and one that imports TensorFlow.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_PROGRAMS = (
    ["train.py"],
    ["export.py"],
    ["-m", "data_prep"],
    ["-m", "discogan_tf.evaluate"],
    ["-m", "discogan_tf.translate"],
    ["-m", "discogan_tf.report"],
    ["-m", "discogan_tf.compare"],
    ["-m", "discogan_tf.launch"],
    ["-m", "discogan_tf.serving.server"],
    ["-m", "discogan_tf.serving.client"],
)


def _secs(arguments: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True)
    if done.returncode not in (0, 1):  # absl's --help exits with 1.
        raise SystemExit(f"{arguments}: {done.stderr.decode()}")
    return time.perf_counter() - started


def _secs_to_first_step(data_dir: str, batch_size: int, workdir: Path) -> float:
    command = [
        sys.executable, "train.py", "--flagfile=bags_shoes.cfg", f"--data_dir={data_dir}",
        f"--workdir={workdir}", f"--batch_size={batch_size}", "--log_every_steps=1",
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        metrics = workdir / "metrics.jsonl"
        while not (metrics.exists() and metrics.stat().st_size):
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
            time.sleep(0.02)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--rounds", type=int, default=3)
    values = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    commands = {f"`{' '.join(program)} --help`": [*program, "--help"] for program in _PROGRAMS}
    commands = {
        "an empty program": ["-c", ""],
        "importing TensorFlow": ["-c", "import tensorflow"],
        **commands,
    }
    found = {name: [] for name in commands}
    firsts = {batch_size: [] for batch_size in (16, 64)}
    for number in range(values.rounds):
        for name, arguments in commands.items():
            found[name].append(_secs(arguments))
        for batch_size in firsts:
            with tempfile.TemporaryDirectory() as folder:
                workdir = Path(folder) / str(number)
                firsts[batch_size].append(_secs_to_first_step(values.data_dir, batch_size, workdir))
    found |= {
        f"`train.py` to its first step, batches of {size}": secs for size, secs in firsts.items()
    }
    print("| what | s, median (range) |\n|---|---|")
    for name, secs in found.items():
        print(f"| {name} | {statistics.median(secs):.2f} ({min(secs):.2f} to {max(secs):.2f}) |")


if __name__ == "__main__":
    main()
