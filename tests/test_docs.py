"""What the examples in docs/ make of TF_CONFIG, on neither Kubernetes nor Slurm."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

_TEXT = (Path(__file__).parents[1] / "docs" / "many_machines.md").read_text()


def _block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", _TEXT, re.DOTALL)
    return found


def test_kubernetes_example_names_its_pods():
    yaml = pytest.importorskip("yaml")
    service, job = yaml.safe_load_all(_block("yaml"))
    pod = job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    (container,) = pod["containers"]
    index, config = container["env"]  # What is referred to stands first.
    assert config["name"] == "TF_CONFIG" and f"$({index['name']})" in config["value"]
    found = json.loads(config["value"].replace(f"$({index['name']})", "1"))
    port = service["spec"]["ports"][0]["port"]
    names = [f"{job['metadata']['name']}-{n}.{pod['subdomain']}:{port}" for n in range(2)]
    assert found == {"cluster": {"worker": names}, "task": {"type": "worker", "index": 1}}
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2


def test_slurm_example_names_its_nodes(tmp_path):
    for name, script in (
        ("scontrol", "printf 'node1\\nnode2\\n'"),
        ("srun", 'shift; SLURM_PROCID=1 "$@"'),
        ("python", 'echo "$TF_CONFIG"; echo "$@" >&2'),
    ):
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "node[1-2]",
    }
    done = subprocess.run(
        ["bash", "-c", _block("bash")], env=environment, capture_output=True, text=True, check=True
    )
    workers = ["node1:2222", "node2:2222"]
    assert json.loads(done.stdout) == {
        "cluster": {"worker": workers},
        "task": {"type": "worker", "index": 1},
    }
    assert done.stderr.startswith("train.py --flagfile=bags_shoes.cfg --distribute=multi_worker")
