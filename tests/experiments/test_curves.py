import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discogan_tf.experiments import curves


def test_the_runs_differ_as_their_labels_say(tmp_path):
    configs = curves.configs_of("data", tmp_path, 600)
    well = configs.pop("Healthy training")
    for label, config in configs.items():
        flag, value = label.partition("--")[2].split("=")
        assert getattr(config, flag) == float(value) != getattr(well, flag)
        changed = {flag: getattr(well, flag), "workdir": well.workdir}
        assert dataclasses.replace(config, **changed) == well


@pytest.mark.slow
def test_figure_and_warnings(make_run, tmp_path):
    configs = {
        "Healthy training": make_run(tmp_path / "run_1"),
        "Unhealthy training": make_run(tmp_path / "run_2"),
    }
    for number, config in enumerate(configs.values()):
        names = ("adversarial_a_to_b", "discriminator_b_real", "discriminator_b_fake",
                 "reconstruction_a", "reconstruction_b")  # fmt: skip
        lines = [{"step": step} | {name: 0.01 * step for name in names} for step in range(1, 41)]
        lines += [{"step": 40, "warning": "mode collapse"}] * number
        Path(config.workdir, "metrics.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    curves.draw(configs, tmp_path / "curves.png")
    image = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))
    assert image.shape == (540, 1300, 3) and image.std() > 20
    expected = "- Healthy training\n- Unhealthy training\n  - step 40: mode collapse"
    assert curves.warnings(configs) == expected
