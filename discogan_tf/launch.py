"""Trains with several workers on one machine, to try --distribute=multi_worker.

    python -m discogan_tf.launch --workers=2 --flagfile=bags_shoes.cfg

Every flag but `--workers` is train.py's; the domains must be prepared. Each worker gets its share
of the cores, if there are enough. For several GPUs of one machine, one process is enough:
`train.py --distribute=mirrored`.

If one worker fails, the others cannot continue and are terminated too. The same command resumes
from the last checkpoint. Exit status: that of the first worker that failed, 128 + the signal's
number if a signal ended it, and 0 if all are done.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from absl import app, flags

from discogan_tf.flags import define_training_flags

# The others notice by themselves that a worker is lost, and report it; then they are terminated.
_PATIENCE_SECS = 30
# Arguments of Python that start a worker.
_WORKER = ("-m", "discogan_tf.train")
# Exit statuses of a worker that a signal stopped, after it saved.
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def launch(count: int, arguments: list[str]) -> int:
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
            workers.append(_start(index, addresses, arguments))
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


def _start(index: int, addresses: list[str], arguments: list[str]) -> subprocess.Popen:
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    cores = _share_of_cores(index, len(addresses))
    # The first one writes and shows progress; of the others the output is prefixed.
    output = (
        {} if index == 0 else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    )
    return subprocess.Popen(
        [sys.executable, *_WORKER, *arguments, "--distribute=multi_worker"],
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


def main(argv: list[str]) -> None:
    """Starts the workers. For `absl.app.run`."""
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    sys.exit(launch(flags.FLAGS.workers, _without_workers(sys.argv[1:])))


def _without_workers(arguments: list[str]) -> list[str]:
    """The arguments for each worker: all but `--workers=2`, or `--workers 2`."""
    kept, skipped = [], False
    for argument in arguments:
        if skipped:
            skipped = False
        elif argument.lstrip("-") == "workers":
            skipped = True
        elif not argument.lstrip("-").startswith("workers="):
            kept.append(argument)
    return kept


if __name__ == "__main__":
    define_training_flags()
    flags.DEFINE_integer(
        "workers", None, "Number of processes. For one: train.py.", lower_bound=2, required=True
    )
    app.run(main)
