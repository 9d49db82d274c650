"""Minutes and images until validation scores are reached and held.

    python -m benchmarks.time_to_quality --data_dir=data --workdir=runs/time_to_quality \\
        --scores 65 50 --minutes=12 --seeds=3

Trains each recipe with each seed, one after the other and in turns, and evaluates often. A score is
reached at the first of two evaluations in a row at which the mean of both directions is at most
that. A run ends when it has reached all `--scores`, or after `--minutes`. Evaluations count as
training time. Recipes are flags for train.py, so that any can be repeated alone. Each workdir gets
`evaluations.csv`: minutes, step and mean score.
"""

import argparse
import csv
import itertools
import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from discogan_tf.flagfile import from_flagfile

_PAPER = [
    "--normalization=batch", "--discriminator_normalization=batch", "--identity_weight=0",
    "--color_weight=0", "--beta_1=0.5", "--learning_rate_hold_steps=0",
]  # fmt: skip
_BATCH = ["--batch_size=16", "--learning_rate=4e-4"]
# Name -> flags of train.py.
RECIPES = {
    "this project": ["--flagfile=bags_shoes.cfg"],
    "0.1.0": ["--flagfile=bags_shoes.cfg", *_PAPER],
    "the chapter, fixed": ["--flagfile=chapter.cfg", "--ema_decay=0", *_BATCH],
    "the authors' code": ["--flagfile=paper.cfg", "--batch_size=16", "--early_steps=400"],
}


def train(
    flags: list[str], workdir: Path, minutes: float, goal: float
) -> list[tuple[float, int, float]]:
    """Trains until a score is reached, or for some minutes.

    Returns:
      Of each evaluation: minutes since the start, step, mean score of both directions. The same
      stands in `evaluations.csv` in the workdir.
    """
    command = [sys.executable, "train.py", *flags, f"--workdir={workdir}"]
    start = time.monotonic()
    log, found = workdir / "metrics.jsonl", {}
    workdir.mkdir(parents=True)
    with (workdir / "output.txt").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(1)
            elapsed = (time.monotonic() - start) / 60
            for step, score in scores(log):
                found.setdefault(step, (elapsed, step, score))
            if elapsed > minutes or reached(list(found.values()), goal):
                process.send_signal(signal.SIGTERM)
                process.wait()
    if not found:
        sys.exit(f"no evaluation within {minutes} minutes; see {workdir / 'output.txt'}")
    evaluations = list(found.values())
    with (workdir / "evaluations.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("minutes", "step", "score"), *evaluations])
    return evaluations


def scores(log: Path) -> list[tuple[int, float]]:
    """Step and mean score of each evaluation in a metrics log."""
    found = []
    for line in log.read_text().splitlines() if log.is_file() else ():
        try:
            record = json.loads(line)
        except ValueError:  # Half written.
            continue
        if "metrics" in record:
            values = [measured["score"] for measured in record["metrics"].values()]
            found.append((record["step"], statistics.fmean(values)))
    return found


def reached(evaluations: list[tuple[float, int, float]], score: float):
    """The first of two evaluations in a row that are at most `score`; None if there are none."""
    for first, second in itertools.pairwise(evaluations):
        if max(first[2], second[2]) <= score:
            return first
    return None


def _images_per_step(workdir: Path) -> int:
    """Of each domain: some recipes take several batches in a step."""
    config = from_flagfile((workdir / "config.cfg").read_text())
    batches = config.generator_updates_per_step + config.separate_discriminator_batch
    return config.batch_size * batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--workdir", type=Path, default=Path("runs/time_to_quality"))
    parser.add_argument("--scores", type=float, nargs="+", default=[65.0, 50.0])
    parser.add_argument("--minutes", type=float, default=12.0, help="at most, of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=100, help="steps between evaluations")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    values = parser.parse_args()
    results = {name: [] for name in values.recipes}
    for seed in range(values.seeds):
        for name in values.recipes:
            workdir = values.workdir / f"{name.replace(' ', '_')}_{seed}"
            flags = [
                *RECIPES[name], f"--data_dir={values.data_dir}", f"--seed={seed}",
                f"--evaluate_every_steps={values.every}", "--keep_checkpoints=1",
                "--sample_every_steps=400", "--save_every_steps=400",
            ]  # fmt: skip
            evaluations = train(flags, workdir, values.minutes, min(values.scores))
            results[name].append((evaluations, _images_per_step(workdir)))
            minutes, step, score = min(evaluations, key=lambda evaluation: evaluation[2])
            print(f"{name}, seed {seed}: best {score:.0f}, at {minutes:.1f} min, step {step:,}")
            sys.stdout.flush()
    headings = [f"minutes to {score:.0f} | images of each domain" for score in values.scores]
    print(f"\n| recipe | {' | '.join(headings)} | best until then |")
    print("|---" * (2 + 2 * len(headings)) + "|")
    for name, runs in results.items():
        columns = []
        for score in values.scores:
            firsts = [reached(evaluations, score) for evaluations, _ in runs]
            columns += [
                ", ".join(f"{first[0]:.1f}" if first else "—" for first in firsts),
                ", ".join(
                    f"{first[1] * per_step:,}" if first else "—"
                    for first, (_, per_step) in zip(firsts, runs, strict=True)
                ),
            ]
        columns.append(
            ", ".join(f"{min(score for *_, score in evaluations):.0f}" for evaluations, _ in runs)
        )
        print(f"| {name} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
