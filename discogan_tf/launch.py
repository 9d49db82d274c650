"""Trains with several workers on one machine, to try --distribute=multi_worker.

    python -m discogan_tf.launch --workers=2 --flagfile=bags_shoes.cfg

Every flag but `--workers` is train.py's; the domains must be prepared. Each worker gets its share
of the cores, if there are enough. For several GPUs of one machine, one process is enough:
`train.py --distribute=mirrored`.

If one worker fails, the others cannot continue and are terminated too. The same command resumes
from the last checkpoint. Exit status: that of the first worker that failed, 128 + the signal's
number if a signal ended it, and 0 if all are done.
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

# The others notice by themselves that a worker is lost, and report it; then they are terminated.
_PATIENCE_SECS = 30
# Arguments of Python that start a worker.
_WORKER = ("-m", "discogan_tf.train")
# Exit statuses of a worker that a signal stopped, after it saved.
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def launch(count: int, flags: list[str]) -> int:
    """Runs `count` workers to their end. Returns the exit status."""
    addresses, workers = free_addresses(count), []

    def forward(number, frame):
        # One is enough: it makes all stop after the same step.
        for worker in workers[:1]:
            worker.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    try:
        for index in range(count):
            workers.append(_start(index, addresses, flags))
        threads = [_repeat_output(worker, index) for index, worker in enumerate(workers) if index]
        status = _wait(workers)
        for thread in threads:
            thread.join(timeout=1)
        return status
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _wait(workers: list[subprocess.Popen]) -> int:
    """Waits until all are done, or one failed. Returns the exit status."""
    failed, deadline = None, None
    while any(worker.poll() is None for worker in workers):
        if failed is None:
            # A worker that was stopped has not failed; it may be waiting for the first one's save.
            failed = next((w for w in workers if w.poll() not in (None, 0, *_STOPPED)), None)
            deadline = time.monotonic() + _PATIENCE_SECS
        if failed and time.monotonic() > deadline:
            break
        time.sleep(0.1)
    failed = failed or next((worker for worker in workers if worker.poll()), None)
    if failed is None:
        return 0
    code = failed.returncode
    if code in _STOPPED:
        return code  # The first worker reported it.
    how = f"was killed by signal {-code}" if code < 0 else f"failed with status {code}"
    print(
        f"Worker {workers.index(failed)} {how}, so all workers were terminated. Fix the cause, "
        "then run the same command to resume from the last checkpoint.",
        file=sys.stderr,
    )
    return 128 - code if code < 0 else code


def _start(index: int, addresses: list[str], flags: list[str]) -> subprocess.Popen:
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    cores = _share_of_cores(index, len(addresses))
    # The first one writes and shows progress; of the others the output is prefixed.
    output = (
        {} if index == 0 else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    )
    return subprocess.Popen(
        [sys.executable, *_WORKER, *flags, "--distribute=multi_worker"],
        env=os.environ | {"TF_CONFIG": json.dumps(cluster)},
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        # A terminal's Ctrl-C is for the launcher alone: a second signal would not wait for a save.
        process_group=0,
        **output,
    )


def _repeat_output(worker: subprocess.Popen, index: int) -> threading.Thread:
    """A thread that prints a worker's output, with its number before each line."""

    def repeat():
        for line in worker.stdout:
            sys.stderr.write(f"[worker {index}] {line}")

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    return thread


def _share_of_cores(index: int, count: int) -> set[int]:
    """The cores of one worker; none if there are fewer cores than workers."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // count
    return set(cores[index * share : (index + 1) * share])


def free_addresses(count: int) -> list[str]:
    """Addresses on this machine where nothing listened a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{listening.getsockname()[1]}" for listening in sockets]
    for listening in sockets:
        listening.close()
    return addresses


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.launch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--workers", type=int, required=True, help="number of processes")
    values, flags = parser.parse_known_args()
    if values.workers < 2:
        parser.error("--workers: at least 2. For one process: python train.py")
    sys.exit(launch(values.workers, flags))


if __name__ == "__main__":
    main()
