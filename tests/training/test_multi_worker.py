"""Two workers in processes of their own, over loopback, against one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discogan_tf.sealed import sealed_steps

_ROOT = Path(__file__).parents[2]


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _start(data_dir, workdir, *more, tf_config=None):
    environment = dict(os.environ)
    if tf_config:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    command = [
        sys.executable, "train.py", f"--data_dir={data_dir}", f"--workdir={workdir}",
        "--domain_a=sample_edges2handbags/photo", "--domain_b=sample_edges2shoes/photo",
        "--image_size=32", "--batch_size=4", "--precision=float32", "--log_every_steps=1",
        "--save_every_steps=2", "--flip", *more,
    ]  # fmt: skip
    return subprocess.Popen(
        command, env=environment, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _losses(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "generator_total" in line]


@pytest.mark.slow
def test_two_workers_train_like_one_and_resume(data_dir, tmp_path):
    alone = _start(data_dir, tmp_path / "alone", "--num_steps=2")
    assert alone.wait(timeout=240) == 0, alone.stdout.read()
    for num_steps in (1, 2):  # The second time they resume.
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
        workers = [
            _start(
                data_dir, tmp_path / "two", "--distribute=multi_worker", f"--num_steps={num_steps}",
                tf_config={"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}},
            )
            for index in range(2)
        ]  # fmt: skip
        for worker in workers:
            output, _ = worker.communicate(timeout=240)
            assert worker.returncode == 0, output
    for ours, theirs in zip(_losses(tmp_path / "alone"), _losses(tmp_path / "two"), strict=True):
        for name in ours:
            # Of gradients each replica reports the norm of its own part.
            if not name.startswith("gradient_norm"):
                assert theirs[name] == pytest.approx(ours[name], rel=0.02), name


@pytest.mark.slow
def test_one_signalled_worker_stops_all_after_the_same_step(data_dir, tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    workers = [
        _start(
            data_dir, tmp_path / "two", "--distribute=multi_worker", "--num_steps=100000",
            tf_config={"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}},
        )
        for index in range(2)
    ]  # fmt: skip
    deadline = time.monotonic() + 240
    while not any(sealed_steps(tmp_path / "two" / "checkpoints")[:1]) and time.monotonic() < deadline:
        time.sleep(0.1)
    workers[1].send_signal(signal.SIGTERM)  # Not the chief, which is the one that saves.
    outputs = [worker.communicate(timeout=240)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [128 + signal.SIGTERM] * 2, outputs
    stopped = int(outputs[0].partition("Stopped and saved at step ")[2].partition(" ")[0])
    assert sealed_steps(tmp_path / "two" / "checkpoints")[0] == stopped
