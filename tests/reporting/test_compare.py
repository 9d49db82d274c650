import dataclasses
import subprocess
import sys

from discogan_tf.flagfile import to_flagfile


def _compare(*arguments):
    command = [sys.executable, "-m", "discogan_tf.compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_two_runs_side_by_side(make_run, tmp_path):
    for name, steps in (("a", (3,)), ("b", (9,))):
        config = make_run(tmp_path / name, steps=steps)
        metrics = '{"handbags2shoes": {"score": 50}, "shoes2handbags": {"score": 60}}'
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
    assert sum(line[:1] == ["sliced_wasserstein"] for line in lines) == 2
    rows = [line for line in lines if line[:2] == ["real,", "best"]]
    assert len(rows) == 2 and "not distinguishable" in done.stdout
    page = (tmp_path / "c.html").read_text()
    assert page.count("<svg") == 4 and "--learning_rate" in page and "reconstruction_ssim" in page


def test_what_cannot_be_compared_says_why(make_run, tmp_path):
    make_run(tmp_path / "a")
    alone = _compare(tmp_path / "a")
    assert alone.returncode != 0 and "two runs or more" in alone.stderr
    absent = _compare(tmp_path / "a", tmp_path / "absent")
    assert absent.returncode == 1 and "no run in" in absent.stderr


def test_runs_of_other_images_are_refused(make_run, tmp_path):
    config = make_run(tmp_path / "a")
    other = dataclasses.replace(config, workdir=str(tmp_path / "b"), image_size=64)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.cfg").write_text(to_flagfile(other))
    refused = _compare(tmp_path / "a", tmp_path / "b")
    assert refused.returncode == 1 and "--image_size: a has 32, b has 64" in refused.stderr
