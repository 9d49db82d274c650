"""Trains by several processes of this machine, as `--distribute=multi_worker` does by several machines.

    python -m discogan_tf.launch --workers=2 --flagfile=bags_shoes.cfg

Every flag but `--workers` is train.py's. Each worker gets its share of the cores, where there are enough.
For several GPUs of one machine one process is enough: `train.py --distribute=mirrored`.

If one worker ends before it is done, the others cannot go on, and are ended too: the same command goes on
from the last checkpoint. Exit status: that of the first worker that failed, 128 + the signal's number if a
signal ended it, and 0 if all are done.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

_TRAIN = Path(__file__).resolve().parents[1] / "train.py"
# The others notice by themselves that a worker is gone, and say so; then they are ended.
_PATIENCE_SECS = 30
# What train.py exits with when it was asked to stop and has saved.
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def launch(count: int, flags: list[str]) -> int:
    """Runs `count` workers to their end, and gives the status to exit with."""
    addresses, workers = free_addresses(count), []

    def forward(number, frame):
        # Told to one, all stop after the same step.
        for worker in workers[:1]:
            worker.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    try:
        for index in range(count):
            workers.append(_start(index, addresses, flags))
        speakers = [_repeater(worker, index) for index, worker in enumerate(workers) if index]
        status = _status(workers)
        for speaker in speakers:
            speaker.join(timeout=1)
        return status
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _status(workers: list[subprocess.Popen]) -> int:
    failed, deadline = None, None
    while any(worker.poll() is None for worker in workers):
        if failed is None:
            # Who was asked to stop is no failure, and may have to wait for the first one's save.
            failed = next((worker for worker in workers if worker.poll() not in (None, 0, *_STOPPED)), None)
            deadline = time.monotonic() + _PATIENCE_SECS
        if failed and time.monotonic() > deadline:
            break
        time.sleep(0.1)
    failed = failed or next((worker for worker in workers if worker.poll()), None)
    if failed is None:
        return 0
    code = failed.returncode
    if code in _STOPPED:
        return code  # The first worker said so.
    how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    print(
        f"Worker {workers.index(failed)} {how}, and the others with it. Once its cause is mended, the same "
        "command goes on from the last checkpoint.",
        file=sys.stderr,
    )
    return 128 - code if code < 0 else code


def _start(index: int, addresses: list[str], flags: list[str]) -> subprocess.Popen:
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    cores = _share_of_cores(index, len(addresses))
    return subprocess.Popen(
        [sys.executable, str(_TRAIN), *flags, "--distribute=multi_worker"],
        env=os.environ | {"TF_CONFIG": json.dumps(cluster)},
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        # A terminal's Ctrl-C is for the launcher alone: a second signal would not wait for a save.
        process_group=0,
        # The first one writes and shows progress; of the others one wants to know who speaks.
        **({} if index == 0 else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}),
    )


def _repeater(worker: subprocess.Popen, index: int) -> threading.Thread:
    """A thread that repeats what a worker says, with its number before it."""

    def repeat():
        for line in worker.stdout:
            sys.stderr.write(f"[worker {index}] {line}")

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    return thread


def _share_of_cores(index: int, count: int) -> set[int]:
    """Those of one worker; none where there are fewer than workers."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // count
    return set(cores[index * share : (index + 1) * share])


def free_addresses(count: int) -> list[str]:
    """Addresses on this machine at which nobody listened a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{listening.getsockname()[1]}" for listening in sockets]
    for listening in sockets:
        listening.close()
    return addresses


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.launch", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--workers", type=int, required=True, help="how many processes")
    values, flags = parser.parse_known_args()
    if values.workers < 2:
        parser.error("--workers: two at least; for one process: python train.py")
    if not _TRAIN.exists():
        parser.error(f"train.py is not there: {_TRAIN}. Run this from a checkout of the project.")
    sys.exit(launch(values.workers, flags))


if __name__ == "__main__":
    main()
