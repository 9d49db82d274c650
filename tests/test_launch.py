"""How the launcher handles workers that end; for workers see training/test_multi_worker.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from discogan_tf import launch

_WORKER = """
import json, os, signal, sys, time
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
end = sys.argv[1 + index]
print("speaks", sys.argv[-1], len(os.sched_getaffinity(0)), flush=True)
print("group", os.getpgrp(), flush=True)
if end == "waits": time.sleep(100)
if end == "saves": time.sleep(1); print("saved"); end = 143
if end == "killed": os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(end))
"""


@pytest.fixture
def ended(tmp_path, monkeypatch, capfd):
    """A function: how each worker ends -> exit status, what was printed."""
    script = tmp_path / "worker.py"
    script.write_text(_WORKER)
    monkeypatch.setattr(launch, "_WORKER", (str(script),))
    monkeypatch.setattr(launch, "_PATIENCE_SECS", 0.5)
    monkeypatch.setattr(launch.signal, "signal", lambda *arguments: None)

    def run(*ends):
        status = launch.launch(len(ends), list(ends))
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return run


def test_all_done(ended):
    status, out, err = ended("0", "0")
    assert status == 0 and "from the last checkpoint" not in err
    assert "speaks --distribute=multi_worker" in out  # The first, as it is.


@pytest.mark.parametrize(
    ("ends", "status", "words"),
    [
        (("waits", "killed"), 137, "Worker 1 was killed by signal 9"),
        (("1", "waits"), 1, "Worker 0 failed with status 1"),
        (("0", "3"), 3, "Worker 1 failed with status 3"),
    ],
)
def test_one_that_fails_ends_all(ended, ends, status, words):
    found, _, err = ended(*ends)
    assert found == status and words in err


def test_a_stopped_worker_has_not_failed(ended):
    status, _, err = ended("143", "143")
    assert status == 143 and "Worker" not in err


def test_the_first_may_take_its_time_to_save(ended):
    """Longer than the patience with workers that fail."""
    _, out, err = ended("saves", "143")
    assert "saved" in out and "Worker" not in err


def test_ctrl_c_of_a_terminal_reaches_workers_once(ended):
    """It goes to all processes of a group: workers have their own groups."""
    _, out, err = ended("0", "0")
    groups = re.findall(r"group (\d+)", out + err)
    assert len(set(groups)) == 2 and str(os.getpgrp()) not in groups


def test_output_is_prefixed_and_cores_are_divided(ended):
    _, _, err = ended("0", "0")
    share = max(len(os.sched_getaffinity(0)) // 2, 1)
    assert f"[worker 1] speaks --distribute=multi_worker {share}\n" in err


def test_one_process_needs_no_launcher():
    command = [sys.executable, "-m", "discogan_tf.launch", "--workers=1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 1 and "--workers=1: 1 is not integer >= 2" in done.stderr


def test_workers_get_all_flags_but_their_number():
    arguments = ["--workers=2", "--seed=1", "--workers", "3", "--flip", "-workers=2"]
    assert launch._without_workers(arguments) == ["--seed=1", "--flip"]
