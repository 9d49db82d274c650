"""Provenance of a run: a line in `provenance.jsonl` for each time it was started."""

import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.domains import fingerprints, fit
from discogan_tf.errors import DataError
from discogan_tf.runs import reproducibility
from discogan_tf.runs.manifest import write_durably

_NAME = "provenance.jsonl"
_PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "simplejpeg", "discogan-tf")


def record(config: Config, first_step: int, num_replicas: int) -> tuple[dict | None, dict]:
    """Adds a line for this start, after a check that the data is that of the previous start.

    Args:
      config: The run's settings.
      first_step: The step that it starts from.
      num_replicas: How many replicas it is computed on.

    Returns:
      The line of the previous start, None if there is none; and this one's.

    Raises:
      DataError: if the data differs, unless `config.allow_changed_data`.
    """
    path = Path(config.workdir) / _NAME
    data = {
        name: fingerprints(config.data_dir, name, config.image_size)
        for name in config.domains.values()
    }
    if config.load_size:
        data |= {
            f"{name}, {config.load_size} pixels": fingerprints(
                config.data_dir, name, config.load_size
            )
            for name in config.domains.values()
        }
    starts = _read(path)
    before = starts[-1] if starts and first_step else None
    if before and not config.allow_changed_data:
        _require_same(before["data"], data, config)
    line = {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "first_step": first_step,
        "command": sys.argv,
        "git_commit": _git_commit(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "machine": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": reproducibility.threads(),
            "replicas": num_replicas,
            "gpus": [
                tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
                for gpu in tf.config.list_physical_devices("GPU")
            ],
        },
        "data": data,
        "fits": {
            stream: fit(config.data_dir, name, config.image_size)
            for stream, name in config.domains.items()
        },
        "config": dataclasses.asdict(config),
    }
    # Written anew: a crash may have cut off the last line, to which another would be appended.
    write_durably(path, "".join(json.dumps(start) + "\n" for start in [*starts, line]))
    return before, line


def read_fits(workdir: Path) -> dict[str, str]:
    """Stream of a run -> how its training images became square, as for `images.fit_square`."""
    starts = _read(workdir / _NAME)
    return starts[-1].get("fits", {}) if starts else {}


def _read(path: Path) -> list[dict]:
    """The complete lines: a crash may have cut off the last."""
    found = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _require_same(before: dict, now: dict, config: Config) -> None:
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        raise DataError(
            f"the images of {' and '.join(changed)} are not those that the run in {config.workdir} "
            "was trained on (their fingerprints differ). Prepare the same ones again in "
            "--data_dir, give another --workdir, or continue with --allow_changed_data"
        )


def package_version(package: str) -> str | None:
    """Of an installed package; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """Of this code, with "+" if it has changed since; None outside a repository."""
    folder = Path(__file__).parent

    def git(*arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        # Without this, the repository could be one that holds a virtual environment.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        has_changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if has_changes else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor()
