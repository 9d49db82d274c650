"""Checks of the documentation: links, training commands, and the examples of TF_CONFIG."""

import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from discogan_tf.flagfile import from_flagfile

_ROOT = Path(__file__).parents[1]
_DOCUMENTS = [*_ROOT.glob("*.md"), *_ROOT.glob("docs/*.md"), _ROOT / "benchmarks" / "RESULTS.md"]
_TEXT = (_ROOT / "docs" / "many_machines.md").read_text()


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


def _links(document):
    """(words, target) of each link and image that is not an address."""
    found = re.findall(r"!?\[([^\]]*)\]\(([^)#\s]+)[^)]*\)", document.read_text())
    return [(words, target) for words, target in found if "://" not in target]


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for _, target in _links(document):
        assert (document.parent / target).exists(), target


def test_the_functions_of_the_equations_are_where_the_links_lead():
    document = _ROOT / "docs" / "how_it_works.md"
    code = [
        (words.strip("`"), target) for words, target in _links(document) if target.endswith(".py")
    ]
    assert len(code) > 12
    for words, target in code:
        if "/" not in words:  # A function or class; else it is the file itself.
            name = words.rpartition(".")[2]
            assert re.search(
                rf"^\s*(def|class) {name}\b", (document.parent / target).read_text(), re.M
            ), words


def _training_commands():
    """Each command in the documents that trains, as a list of words."""
    found = []
    for document in (*_DOCUMENTS, *_ROOT.glob("*.cfg")):
        text = document.read_text().replace("\\\n", " ")
        for line in text.splitlines():
            words = re.split(r"\s+", re.sub(r"^#", "", line).strip().rstrip(")"))
            starts = words[:2] == ["python", "train.py"] or words[:2] == ["discogan", "train"]
            if line.startswith(("    ", "#   ")) and starts and any("=" in w for w in words):
                found.append(pytest.param(words[2:], id=f"{document.name}: {' '.join(words[2:5])}"))
    return found


@pytest.mark.parametrize("words", _training_commands())
def test_training_commands_have_valid_settings(words):
    """Flags exist, and go together with those of the flagfile."""
    lines = []
    for word in itertools.takewhile(lambda word: word.startswith("--"), words):
        name, equals, value = word.removeprefix("--").partition("=")
        if name == "flagfile":
            lines += (_ROOT / value).read_text().splitlines()
        elif equals:
            numbers = {"$rate": "1e-4", "$seed": "0"}
            lines.append(f"--{name}={numbers.get(value, value)}")
        else:
            lines.append(f"--{name.removeprefix('no')}={str(not name.startswith('no')).lower()}")
    from_flagfile("\n".join(lines))
