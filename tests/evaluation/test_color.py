"""Color metrics on cases whose answers are known."""

import dataclasses

import numpy as np
import pytest

from discogan_tf.evaluation import color, plane
from tests.evaluation.discs import discs, with_outputs

_RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_colors_whose_values_are_in_tables(rgb, lab):
    np.testing.assert_allclose(color.to_lab(np.array(rgb)), lab, atol=0.05)


def test_color_correlation_of_copies_inverses_and_strangers(batch):
    copies = color.measure(batch, 20)
    assert copies["relation"].value == pytest.approx(1) and copies["relation"].reference < 0.6
    gray = np.repeat(discs(20, 1)[..., :1], 3, -1)
    inverse = np.where(gray > 0.95, gray, 0.8 - gray)
    found = color.measure(
        with_outputs(dataclasses.replace(batch, inputs=gray), inverse.astype(np.float32)), 20
    )
    assert found["relation_lightness"].value < -0.95
    # No hues, even where compression leaves traces of some.
    for traces in (0, 0.002):
        noisy = gray + traces * _RNG.normal(size=(20, 1, 1, 3)).astype(np.float32)
        drawings = dataclasses.replace(batch, inputs=noisy)
        found = color.measure(drawings, 20)
        assert found["relation_red"].value == found["relation_yellow"].value == 0
    strangers = color.measure(with_outputs(batch, batch.targets), 50)
    assert (
        abs(strangers["relation"].value) < 0.4
        and strangers["relation"].low < 0 < strangers["relation"].high
    )


def test_the_ground_truth_of_colors_is_compared_if_it_is_known(batch):
    true = batch.inputs[:, 16, 16]
    found = color.measure(dataclasses.replace(batch, ground_truth_colors=true), 20)
    assert found["ground_truth_color"].value == pytest.approx(1, abs=1e-6)
    assert "ground_truth_color" not in color.measure(batch, 20)


def test_hue_overlap_is_the_share_of_equal_hues():
    """Half red and half gray against all red: one half. White counts nowhere."""
    images = np.ones((2, 8, 8, 3), np.float32)
    images[:, :4] = (0.8, 0.1, 0.1)
    images[0, 2:4] = (0.5, 0.5, 0.5)
    histograms = color.hue_histograms(images)
    np.testing.assert_allclose(histograms.sum(1), 1)
    assert np.minimum(*histograms).sum() == pytest.approx(0.5)
    shifted = color.hue_histograms(images[..., [1, 0, 2]])
    assert np.minimum(histograms[1], shifted[1]).sum() == 0  # Green is another hue.


def test_color_cost_lies_between_its_references(batch):
    """Copies cost nothing; random images what the note says; the best assignment is in between."""
    assert color.measure(batch, 20)["color_cost"].value == pytest.approx(0, abs=1e-9)
    inputs, targets = (color.foreground_colors(images) for images in (batch.inputs, batch.targets))
    chosen, costs = color.best_assignment(inputs, targets)
    assert sorted(chosen) == list(range(20))  # Each once.
    assigned = color.measure(with_outputs(batch, batch.targets[chosen]), 20)["color_cost"]
    assert assigned.value == pytest.approx(assigned.reference) == pytest.approx(costs.mean())
    shuffled = color.measure(with_outputs(batch, batch.targets), 20)["color_cost"]
    assert assigned.value < 0.8 * shuffled.value
    assert f"{color.random_cost(inputs, targets):.0f} for random" in shuffled.note


def test_the_plane_has_its_reference_points(batch):
    found = plane.points({"run": batch}, None)
    assert list(found) == ["run", "untranslated", "real, shuffled", "real, best assignment"]
    assert found["run"] == found["untranslated"] and found["untranslated"].color_cost == 0
    assert found["real, best assignment"].color_cost < 0.8 * found["real, shuffled"].color_cost


def test_fewer_real_images_than_inputs_are_assigned_to_several(batch):
    """Every input gets one; if each image is that of two inputs, the assignment costs nothing."""
    twice = np.concatenate([batch.inputs[:10]] * 2)
    half = with_outputs(dataclasses.replace(batch, inputs=twice), twice)
    found = plane.points({"run": dataclasses.replace(half, training=twice[:10])}, None)
    assert found["real, best assignment"].color_cost == pytest.approx(0, abs=1e-9)
    assert found["real, shuffled"].color_cost > 1
    cost = color.measure(dataclasses.replace(half, targets=twice[:10]), 0)["color_cost"]
    assert cost.reference == pytest.approx(0, abs=1e-9)
    # Fewer to choose from cannot cost less.
    costs = [
        color.measure(dataclasses.replace(batch, targets=batch.targets[:count]), 0)["color_cost"]
        for count in (20, 5, 1)
    ]
    assert costs[0].reference < costs[1].reference < costs[2].reference
