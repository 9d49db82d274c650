import dataclasses
import json
import shutil
import subprocess
import sys

import pytest
from absl import app

from discogan_tf.compare import compare, main
from discogan_tf.config import Config
from discogan_tf.errors import CheckpointError, ConfigError
from discogan_tf.evaluation import evaluated_run


def _compare(*arguments):
    command = [sys.executable, "-m", "discogan_tf.compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_two_runs_side_by_side(make_run, tmp_path):
    for name, steps in (("a", (3,)), ("b", (9,))):
        config = make_run(tmp_path / name, steps=steps, model="gan")
        metrics = '{"handbags2shoes": {"score": 50}}'
        (tmp_path / name / "metrics.jsonl").write_text(f'{{"step": 3, "metrics": {metrics}}}\n')
    (tmp_path / "b" / "config.cfg").write_text(
        (tmp_path / "b" / "config.cfg")
        .read_text()
        .replace("--learning_rate=0.0004", "--learning_rate=0.0008")
    )
    assert config.learning_rate == 4e-4
    done = _compare(tmp_path / "a", tmp_path / "b", f"--output={tmp_path / 'c.html'}")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["--learning_rate", "0.0004", "0.0008"] in lines
    assert not any(line and line[0] in ("--batch_size", "--workdir") for line in lines)
    assert ["step", "3", "9"] in lines
    assert sum(line[:1] == ["sliced_wasserstein"] for line in lines) == 1
    rows = [line for line in lines if line[:2] == ["real,", "best"]]
    assert len(rows) == 1 and "not distinguishable" in done.stdout
    page = (tmp_path / "c.html").read_text()
    assert page.count("<svg") == 2 and "--learning_rate" in page and "color_cost" in page


@pytest.mark.slow
def test_what_cannot_be_compared_says_why(make_run, tmp_path):
    make_run(tmp_path / "a")
    with pytest.raises(app.UsageError, match="two runs or more"):
        main(["compare", str(tmp_path / "a")])
    absent = _compare(tmp_path / "a", tmp_path / "absent")
    assert absent.returncode == 1 and "no run in" in absent.stderr


def test_the_same_workdir_twice_is_no_comparison(tmp_path):
    with pytest.raises(app.UsageError, match="given twice"):
        main(["compare", str(tmp_path), f"{tmp_path}/"])


def test_runs_without_a_common_direction_are_refused_before_they_are_measured(
    make_run, tmp_path, monkeypatch
):
    configs = {name: make_run(tmp_path / name) for name in ("a", "b")}
    load = evaluated_run.load_evaluated_run

    def load_one_direction(config, *arguments):
        run = load(config, *arguments)
        direction = list(run.batches)[config.workdir == configs["b"].workdir]
        return dataclasses.replace(run, batches={direction: run.batches[direction]})

    monkeypatch.setattr(evaluated_run, "load_evaluated_run", load_one_direction)
    monkeypatch.setattr(evaluated_run, "measure", lambda *_: pytest.fail("measured"))
    with pytest.raises(ConfigError, match="no direction in common"):
        compare(configs, "last")


def test_other_validation_images_under_the_same_names_are_refused(data_dir, tmp_path):
    """Other training images are a difference like any other."""
    configs = {}
    for name, split in (("a", "none"), ("b", "train"), ("c", "val")):
        shutil.copytree(data_dir, tmp_path / name)
        for file in tmp_path.glob(f"{name}/*/*/*/*/preparation.json"):
            preparation = json.loads(file.read_text())
            preparation["fingerprints"][split] = "other"
            file.write_text(json.dumps(preparation))
        configs[name] = Config(
            data_dir=str(tmp_path / name), workdir=str(tmp_path), image_size=32,
            domain_a="sample_edges2handbags/photo", domain_b="sample_edges2shoes/photo",
        )  # fmt: skip
    with pytest.raises(CheckpointError):  # The check before it is passed.
        compare({name: configs[name] for name in "ab"}, "last")
    with pytest.raises(ConfigError, match="sample_edges2handbags/photo differs between folders"):
        compare(configs, "last")


def test_runs_of_other_images_are_refused():
    configs = {"a": Config(image_size=32), "b": Config(image_size=64)}
    with pytest.raises(ConfigError, match="--image_size: a has 32, b has 64"):
        compare(configs, "last")
