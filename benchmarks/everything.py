"""Runs all benchmarks one after another, and writes one Markdown file.

    python -m benchmarks.everything --archive=edges2shoes.tar.gz --data_dir=data \\
        --output=measured.md

Each runs in its own process, interleaves what it compares, and shows medians, ranges and limits.
The archive is a pix2pix archive; in `--data_dir` the domains of bags_shoes.cfg must be prepared.
PyTorch's rows need PyTorch (`pip install torch`). Allow an hour on two cores; nothing else should
run. Benchmarks that train for longer, such as `time_to_quality`, are not among them.
"""

import argparse
import platform
import subprocess
import sys
import time
from pathlib import Path


def parts(archive: Path, data_dir: Path) -> dict[str, list[str]]:
    """Heading -> module and flags."""
    data = f"--data_dir={data_dir}"
    return {
        "Training step, bfloat16": ["step_comparison", "--precision=bfloat16", "--rounds=3"],
        "Training step, float32": ["step_comparison", "--precision=float32", "--rounds=3"],
        **{
            f"Training step of {flagfile}, bfloat16": [
                "step_comparison",
                f"--flagfile={flagfile}",
                "--precision=bfloat16",
                "--rounds=3",
            ]
            for flagfile in ("cyclegan_64.cfg", "stackgan_stage1.cfg", "stackgan_stage2.cfg")
        },
        "Where the step's time goes": ["profile_step", "--precision=bfloat16"],
        "Its convolutions one by one": ["convolutions", "--precision=bfloat16"],
        "Beside the step": ["overhead", data],
        "Input pipeline": ["input_pipeline", data],
        "Data preparation": ["preparation", f"--archive={archive}"],
        "Inference and evaluation": ["inference", data],
        "Starting up": ["start_up", data],
        "Two workers": ["workers"],
        "Growth": ["growth", "--output=growth.png"],
        "On paper": ["on_paper"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--output", type=Path, default=Path("measured.md"))
    parser.add_argument("--only", default="", help="parts whose heading has this in it")
    values = parser.parse_args()
    if not values.archive.is_file():
        parser.error(f"no archive at {values.archive}")
    sections, failed = [f"# Measured on {platform.processor() or platform.machine()}"], []
    for heading, (module, *flags) in parts(values.archive, values.data_dir).items():
        if values.only.lower() not in heading.lower():
            continue
        started = time.monotonic()
        print(f"{heading} ...", end=" ", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{module}", *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        print(f"{time.monotonic() - started:.0f} s")
        if done.returncode:
            failed.append(heading)
            print(done.stderr[-2000:], file=sys.stderr)
        shown = " ".join(["python -m", f"benchmarks.{module}", *flags])
        sections.append(f"## {heading}\n\n`{shown}`\n\n{done.stdout.strip()}")
        # After each part: a run that is broken off keeps what it has.
        values.output.write_text("\n\n".join(sections) + "\n")
    print(f"Written to {values.output}.")
    if failed:
        sys.exit(f"error: {', '.join(failed)} failed")


if __name__ == "__main__":
    main()
