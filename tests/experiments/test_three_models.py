import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discogan_tf.experiments import three_models

_ROOT = Path(__file__).parents[2]


def test_runs_differ_in_model_seed_and_folder_alone(tiny_config):
    configs = three_models.configs_of(tiny_config, seeds=2)
    assert list(configs) == ["gan", "recon_gan", "discogan"]
    settings = {(run.model, run.seed) for runs in configs.values() for run in runs}
    assert settings == {(name, seed) for name in configs for seed in (0, 1)}
    workdirs = {run.workdir for runs in configs.values() for run in runs}
    assert len(workdirs) == 6 and {Path(workdir).parent for workdir in workdirs} == {
        Path(tiny_config.workdir)
    }
    assert {(run.batch_size, run.num_steps) for runs in configs.values() for run in runs} == {
        (4, 4)
    }


def test_several_seeds_become_their_mean_and_range():
    def report(value):
        entry = {"value": value, "low": -9, "high": 9, "reference": 0.1, "better": "higher"}
        return {"step": 3, "directions": {"there": {"relation": entry}}}

    (found,) = three_models.over_seeds([report(v) for v in (0.5, 0.1, 0.3)])["directions"].values()
    expected = {
        "value": pytest.approx(0.3),
        "low": 0.1,
        "high": 0.5,
        "reference": 0.1,
        "better": "higher",
    }
    assert found == {"relation": expected}
    assert three_models.over_seeds([report(0.5)]) == report(0.5)


@pytest.mark.slow
def test_table_grid_and_page(make_run, tmp_path, capsys):
    configs = {}
    for name in ("gan", "recon_gan", "discogan"):
        workdir = tmp_path / f"{name}_seed_0"
        configs[name] = [make_run(workdir, model=name)]
        metrics = {"handbags2shoes": {"score": 50}}
        (workdir / "metrics.jsonl").write_text(json.dumps({"step": 7, "metrics": metrics}) + "\n")
    three_models.show(configs, "the command", resamples=20)
    lines = (tmp_path / "three_models.md").read_text().splitlines()
    cells = {
        line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in lines
    }
    assert cells[""][:3] == ["GAN", "GAN with reconstruction", "DiscoGAN"]
    assert cells["step"][:3] == ["7", "7", "7"]
    assert cells["diversity"][0] and cells["reconstruction_mse"][0] == ""  # It has no inverse.
    assert all(cells["reconstruction_mse"][1:3])
    assert "handbags2shoes" in capsys.readouterr().out
    assert np.asarray(Image.open(tmp_path / "three_models.png")).shape[0] == 4 * 100 + 4
    page = (tmp_path / "three_models.html").read_text()
    assert "the command" in page and page.count("<svg") == 1 and page.count("<img") == 1


def test_flags_that_it_does_not_support_are_refused(data_dir, tmp_path):
    for flag in ("--model=gan", "--distribute=multi_worker"):
        command = [
            sys.executable, "-m", "discogan_tf.experiments.three_models", flag,
            f"--data_dir={data_dir}", f"--workdir={tmp_path / 'runs'}",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and flag.partition("=")[0] in done.stderr
    assert not (tmp_path / "runs").exists()
