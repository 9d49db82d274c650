import numpy as np
import pytest

from discogan_tf.experiments import mixtures


def test_modes_lie_evenly_on_a_circle():
    centers = mixtures.circle(10)
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 2, rtol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(centers - np.roll(centers, 1, axis=0), axis=1),
        4 * np.sin(np.pi / 10),
        rtol=1e-5,
    )


def test_batches_are_the_mixtures():
    centers = {"a": mixtures.circle(5), "b": mixtures.circle(10)}
    found = list(mixtures.batches(centers, 500, seed=3).take(2).as_numpy_iterator())
    for (batch,) in found:
        for domain, modes in (("a", 5), ("b", 10)):
            distances = np.linalg.norm(batch[domain][:, np.newaxis] - centers[domain], axis=2)
            # Rayleigh's distribution: the mean distance is sigma * sqrt(pi / 2).
            assert distances.min(1).mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.1)
            counts = np.bincount(distances.argmin(1), minlength=modes)
            assert counts.min() > 0.5 * 500 / modes
    assert not np.array_equal(found[0][0]["a"], found[1][0]["a"])


def _points(*places):
    """Ten points at each of some places."""
    return np.repeat(np.array(places, float), 10, axis=0)


def test_a_one_to_one_map_that_covers_half():
    targets = mixtures.circle(4)
    points, sources = _points(targets[0], targets[2]), np.repeat([0, 1], 10)
    assert mixtures.mapping(points, sources, targets) == mixtures.Mapping(2, 0, True, 1.0)


def test_modes_that_share_a_target():
    targets = mixtures.circle(4)
    points, sources = _points(targets[1], targets[1] + 0.1, targets[3]), np.repeat([0, 1, 2], 10)
    assert mixtures.mapping(points, sources, targets) == mixtures.Mapping(2, 2, False, 1.0)


def test_what_lies_on_no_mode_counts_for_none():
    targets = mixtures.circle(4)
    points, sources = _points(targets[0], (0, 0)), np.repeat([0, 1], 10)
    assert mixtures.mapping(points, sources, targets) == mixtures.Mapping(1, 0, False, 0.5)
    # Just within four deviations, and just beyond.
    near = mixtures.mapping(targets[:1] * 1.19, np.array([0]), targets)
    far = mixtures.mapping(targets[:1] * 1.21, np.array([0]), targets)
    assert (near.covered, far.covered) == (1, 0)
