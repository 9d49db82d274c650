import dataclasses

import numpy as np
import pytest

from discogan_tf.experiments import half_trained_discriminator


@pytest.mark.slow
def test_a_discriminator_without_real_images_stays_undecided(tiny_config, cyclegan):
    """Its loss stays at 1/2, while that of the other one falls."""
    config = dataclasses.replace(
        tiny_config, num_steps=40, learning_rate=1e-3, **cyclegan | {"replay_images": 4}
    )
    at_the_end = {}
    for label, without in half_trained_discriminator.CASES.items():
        losses, images = half_trained_discriminator.train(config, without)
        assert len(losses) == 40 and [x.shape for x in images] == [(6, 32, 32, 3)] * 2
        of_both = [[step[f"discriminator_{key}"] for key in "ab"] for step in losses[-10:]]
        at_the_end[label] = np.mean(of_both, axis=0)
    both_learn, half_trained = at_the_end.values()
    assert both_learn.max() < 0.25
    assert half_trained[0] < 0.25 and half_trained[1] == pytest.approx(0.5, abs=0.06)


def test_the_table_has_ten_rows_of_means():
    steps = [{"discriminator_a": 0.1, "discriminator_b": n / 20} for n in range(20)]
    lines = half_trained_discriminator.table({"one": steps}).splitlines()
    assert len(lines) == 12 and lines[2] == "| 1-2 | 0.100 | 0.025 |"
    assert lines[-1] == "| 19-20 | 0.100 | 0.925 |"
