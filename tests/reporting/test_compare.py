import subprocess
import sys

import pytest
from absl import app

from discogan_tf.compare import compare, main
from discogan_tf.config import Config
from discogan_tf.errors import ConfigError


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


def test_runs_of_other_images_are_refused():
    configs = {"a": Config(image_size=32), "b": Config(image_size=64)}
    with pytest.raises(ConfigError, match="--image_size: a has 32, b has 64"):
        compare(configs, "last")
