import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from discogan_tf.errors import ConfigError, DataError
from discogan_tf.experiments.running import train_all
from discogan_tf.startup import exit_on_errors
from tests.training.fakes import fake_losses, logged_losses, with_fake_metrics, with_fake_step


@pytest.fixture
def runs(tiny_config, monkeypatch):
    """Two runs of two steps."""
    with_fake_metrics(monkeypatch)
    return {
        name: dataclasses.replace(
            tiny_config,
            model="gan",
            num_steps=2,
            ema_decay=0.0,
            workdir=str(Path(tiny_config.workdir) / name),
        )
        for name in ("one", "other")
    }


def test_too_few_validation_images_are_reported_before_anything_is_trained(
    runs, data_dir, tmp_path, monkeypatch
):
    called = with_fake_step(monkeypatch, lambda number: fake_losses())
    shutil.copytree(data_dir, tmp_path / "data")
    for file in (tmp_path / "data").glob("*/*/*/*/names.json"):
        names = json.loads(file.read_text())
        file.write_text(json.dumps(names | {"val": names["val"][:1]}))
    moved = {
        k: dataclasses.replace(run, data_dir=str(tmp_path / "data")) for k, run in runs.items()
    }
    with pytest.raises(DataError, match="has 1 validation image"):
        train_all(moved)
    assert not called


def test_each_is_trained_once(runs, monkeypatch, capsys):
    called = with_fake_step(monkeypatch, lambda number: fake_losses())
    train_all(runs)
    steps = [[line["step"] for line in logged_losses(run.workdir)] for run in runs.values()]
    assert steps == [[1, 2], [1, 2]] and len(called) == 4
    train_all(runs)
    assert len(called) == 4 and capsys.readouterr().out.count("already at step 2") == 2
    shorter = {name: dataclasses.replace(run, num_steps=1) for name, run in runs.items()}
    with pytest.raises(ConfigError, match="already at step 2, beyond --num_steps=1"):
        train_all(shorter)


def test_a_signal_at_the_last_step_of_one_does_not_start_the_next(runs, monkeypatch):
    def on_step(number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return fake_losses()

    with_fake_step(monkeypatch, on_step)
    with pytest.raises(SystemExit) as ended:
        train_all(runs)
    assert ended.value.code == 128 + signal.SIGTERM
    assert len(logged_losses(runs["one"].workdir)) == 2 and not Path(runs["other"].workdir).exists()


def test_what_would_fail_in_the_end_fails_at_once(runs, tiny_config):
    absent = dataclasses.replace(runs["other"], domain_b="absent")
    with pytest.raises(DataError, match="absent"):
        train_all(runs | {"other": absent})
    folder = Path(tiny_config.workdir)
    folder.mkdir()
    (folder / "config.cfg").touch()
    with pytest.raises(ConfigError, match="holds a run itself"):
        train_all(runs)
    assert [path.name for path in folder.iterdir()] == ["config.cfg"]


def test_errors_end_the_program_with_a_message():
    for error, code in ((ConfigError("no good"), "error: no good"), (KeyboardInterrupt(), 130)):
        with pytest.raises(SystemExit) as ended, exit_on_errors():
            raise error
        assert ended.value.code == code
