"""`python train.py` as a user runs it, in its own process."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discogan_tf.flagfile import from_flagfile

_ROOT = Path(__file__).parents[1]


def _command(data_dir, workdir, *more):
    return [
        sys.executable, "train.py", f"--data_dir={data_dir}", f"--workdir={workdir}",
        "--domain_a=sample_edges2handbags/photo", "--domain_b=sample_edges2shoes/photo",
        "--image_size=32", "--batch_size=4", "--base_filters=8", "--model=gan",
        "--save_every_steps=3", "--sample_every_steps=1000", "--log_every_steps=1", *more,
    ]  # fmt: skip


def _run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, cwd=_ROOT)


@pytest.mark.slow
def test_a_signal_saves_and_the_same_command_resumes(data_dir, tmp_path):
    command = _command(data_dir, tmp_path / "run")
    process = subprocess.Popen([*command, "--num_steps=100000"], cwd=_ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    deadline = time.monotonic() + 200
    while (
        not (tmp_path / "run/checkpoints/step-3.manifest").exists() and time.monotonic() < deadline
    ):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    stopped = int(output.partition("Stopped and saved at step ")[2].partition(" ")[0])

    done = _run(*command, f"--num_steps={stopped + 2}")
    assert done.returncode == 0, done.stderr
    assert f"from its checkpoint of step {stopped}." in done.stdout
    lines = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    assert [line["step"] for line in lines if "generator_total" in line] == list(
        range(1, stopped + 3)
    )


def test_bad_settings_and_missing_data_are_plain_errors(data_dir, tmp_path):
    missing = _run(*_command(data_dir, tmp_path / "run", "--domain_a=edges2boots/photo"))
    assert missing.returncode == 1
    assert "make quickstart" in missing.stderr and "Traceback" not in missing.stderr
    bad = _run(*_command(data_dir, tmp_path / "run", "--learning_rate=-1"))
    assert bad.returncode == 1
    assert "--learning_rate=-1.0: must be greater than 0" in bad.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flagfile", "names"),
    {
        "bags_shoes.cfg": ("handbags", "shoes"),
        "chapter.cfg": ("handbags", "shoes"),
        "edges_handbags.cfg": ("edges", "photo"),
        "edges_shoes.cfg": ("edges", "photo"),
        "cyclegan.cfg": ("monet", "photo"),
        "cyclegan_64.cfg": ("handbags", "shoes"),
        "cyclegan_paper.cfg": ("monet", "photo"),
        "folders.cfg": ("men", "women"),
        "paper.cfg": ("handbags", "shoes"),
        "quickstart.cfg": ("handbags", "shoes"),
        "shoes_bags_folders.cfg": ("handbags", "shoes"),
        "stackgan_stage1.cfg": ("sample_captions",),
        "stackgan_stage2.cfg": ("sample_captions",),
        "text_encoder.cfg": ("sample_captions",),
    }.items(),
)
def test_flagfiles_are_valid(flagfile, names):
    config = from_flagfile((_ROOT / flagfile).read_text())
    assert tuple(config.display_names.values()) == names


@pytest.mark.parametrize(
    ("flagfile", "sizes"),
    {
        "cyclegan.cfg": (128, 143, 6, 3, 16),
        "cyclegan_64.cfg": (64, 0, 6, 2, 4),
        "cyclegan_paper.cfg": (256, 286, 9, 3, 1),
    }.items(),
)
def test_cyclegan_flagfiles_have_the_papers_objective_and_schedule(flagfile, sizes):
    """Zhu et al. 2017, sections 4 and 5.2; weights of pixels are for images in [0, 1]."""
    config = dataclasses.asdict(from_flagfile((_ROOT / flagfile).read_text()))
    expected = {
        "architecture": "resnet", "normalization": "instance", "adversarial_loss": "least_squares",
        "discriminator_normalization": "instance", "discriminator_weight": 0.5,
        "reconstruction_loss": "l1", "reconstruction_weight": 20, "identity_weight": 10,
        "identity_images": 0, "color_weight": 0, "shape_weight": 0, "feature_matching_weight": 0,
        "replay_images": 50, "learning_rate": 2e-4, "beta_1": 0.5, "learning_rate_hold_steps": 0,
    }  # fmt: skip
    assert {name: config[name] for name in expected} == expected
    names = ("image_size", "load_size", "residual_blocks", "patch_layers", "batch_size")
    assert tuple(config[name] for name in names) == sizes
    assert 2 * config["learning_rate_decay_steps"] == config["num_steps"]
    assert config["flip"] == (flagfile != "cyclegan_64.cfg")


def test_all_flagfiles_are_tested():
    (parameters,) = (m for m in test_flagfiles_are_valid.pytestmark if m.name == "parametrize")
    assert {name for name, _ in parameters.args[1]} == {path.name for path in _ROOT.glob("*.cfg")}


def test_help_does_not_load_tensorflow():
    done = _run(sys.executable, "-X", "importtime", "train.py", "--help")
    assert "--reconstruction_weight" in done.stdout
    assert "absl" in done.stderr and "tensorflow" not in done.stderr
