"""The demo page under good and bad uploads: whether it stays up, answers, and is flat in memory.

    python -m benchmarks.demo_faults --export_dir=exported --seconds=600

Starts its own page and sends it images, files that are none, and images that are too large, one
after the other. Exit status 1 if the page ends, a good upload fails, a bad one is not refused, or
memory grows by more than 5 %.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import requests
from PIL import Image


def _files(folder: Path) -> dict[Path, bool]:
    """Files to upload -> whether they can be translated."""
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (8, 6, 3), np.uint8)).resize((900, 1200))
    found = {}
    for name in ("photo.jpg", "photo.png", "photo.webp", "photo.gif", "photo.bmp", "photo.avif"):
        photo.save(folder / name)
        found[folder / name] = True
    jpeg = (folder / "photo.jpg").read_bytes()
    for name, content in (
        ("text.png", b"How do I translate my own image?"),
        ("empty.jpg", b""),
        ("cut.jpg", jpeg[: len(jpeg) // 2]),
        ("noise.webp", rng.bytes(100_000)),
    ):
        (folder / name).write_bytes(content)
        found[folder / name] = False
    Image.new("1", (9000, 9000)).save(folder / "large.png")
    found[folder / "large.png"] = False
    return found


def _resident_mib(process: subprocess.Popen) -> float:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _start(export_dir: Path) -> tuple[subprocess.Popen, str]:
    """A page, and its address once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "discogan_tf.demo", f"--export_dir={export_dir}"]
    process = subprocess.Popen(
        [*command, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):  # Three minutes, on a machine that does other work.
        try:
            requests.get(url, timeout=5)
            return process, url
        except requests.ConnectionError:
            time.sleep(0.3)
    raise RuntimeError("the page did not start")


def run(export_dir: Path, seconds: float) -> dict:
    """Uploads files for a while. Returns the report."""
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    started = time.monotonic()
    process, url = _start(export_dir)
    report = {"start_secs": round(time.monotonic() - started, 1), "translated": 0, "refused": 0}
    failures, resident = [], []
    try:
        client = Client(url, verbose=False, download_files=False)
        until = time.monotonic() + seconds
        with tempfile.TemporaryDirectory() as folder:
            for path, is_good in itertools.cycle(_files(Path(folder)).items()):
                if time.monotonic() > until or failures or process.poll() is not None:
                    break
                try:
                    client.predict(handle_file(path), "handbags2shoes", api_name="/translate")
                    report["translated"] += 1
                    if not is_good:
                        failures.append(f"{path.name} was translated")
                except AppError as error:
                    report["refused"] += 1
                    if is_good:
                        failures.append(f"{path.name}: {error}")
                resident.append(_resident_mib(process))
        if process.poll() is not None:
            failures.append(f"the page ended with {process.returncode}")
    finally:
        process.terminate()
        process.wait(30)
    report |= {"seconds": seconds, "failures": failures}
    if len(resident) < 4:
        return report
    early = statistics.median(resident[len(resident) // 4 : len(resident) // 2])
    late = statistics.median(resident[-(len(resident) // 4) :])
    if seconds >= 60 and late > 1.05 * early:
        failures.append("memory grew")
    memory = {"early": round(early), "late": round(late), "most": round(max(resident))}
    return report | {"resident_mib": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export_dir", type=Path, default=Path("exported"))
    parser.add_argument("--seconds", type=float, default=600)
    values = parser.parse_args()
    report = run(values.export_dir, values.seconds)
    print(json.dumps(report, indent=1))
    sys.exit(bool(report["failures"]))


if __name__ == "__main__":
    main()
