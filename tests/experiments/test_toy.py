import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discogan_tf.experiments import toy

_ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_discriminator_and_the_points_learn():
    """A plain GAN finds the circle: in the end more of its points are on modes than at first."""
    from discogan_tf.experiments import mixtures

    moments = toy.train("gan", seed=0, num_steps=1000)
    _, modes = mixtures.sample(mixtures.circle(5), 200)
    first, *_, last = (
        mixtures.mapping(points, modes, mixtures.circle(10)) for _, points, _ in moments
    )
    assert [step for step, _, _ in moments] == [0, 20, 100, 300, 1000]
    assert last.on_modes > first.on_modes + 0.2
    assert all(surface.shape == (120, 120) and surface.min() >= 0 for _, _, surface in moments)


@pytest.mark.slow
def test_the_command_writes_figure_and_table(tmp_path):
    command = [
        sys.executable, "-m", "discogan_tf.experiments.toy", "--seeds=1", "--num_steps=20",
        f"--output_dir={tmp_path}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    table = (tmp_path / "toy.md").read_text()
    assert table in done.stdout and len(table.splitlines()) == 5
    assert "GAN with reconstruction" in table
    found = json.loads((tmp_path / "toy.json").read_text())
    assert {name: len(of) for name, of in found.items()} == {
        "gan": 1,
        "recon_gan": 1,
        "discogan": 1,
    }
    pixels = np.asarray(Image.open(tmp_path / "toy.png").convert("RGB"))
    assert pixels.shape[1] > 1000 and pixels.std() > 20


def test_the_same_seed_gives_the_same_points():
    one, other = (toy.train("discogan", seed=1, num_steps=5)[-1][1] for _ in range(2))
    np.testing.assert_array_equal(one, other)
