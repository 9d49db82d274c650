"""Each metric on a case whose answer is known."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.data.domains import evenly_spaced
from discogan_tf.errors import DataError
from discogan_tf.evaluation import (
    diversity,
    features,
    memorization,
    metrics,
    reconstruction,
    sliced_wasserstein,
    steganography,
    tables,
)
from discogan_tf.evaluation.distances import pairwise, to_nearest_other
from discogan_tf.evaluation.measurement import bootstrap_interval, mean_of
from tests.evaluation.discs import discs, with_outputs

_RNG = np.random.default_rng(0)


def test_distances_are_those_of_a_plain_computation():
    one, other = _RNG.random((5, 8, 8, 3), np.float32), _RNG.random((7, 8, 8, 3), np.float32)
    expected = np.sqrt(np.square(one[:, None] - other[None]).mean((2, 3, 4)))
    np.testing.assert_allclose(pairwise(one, other), expected, atol=1e-5)
    twins = np.concatenate([one, one[:1]])
    assert to_nearest_other(twins)[0] == 0 and to_nearest_other(twins)[1] > 0.1
    # As many values as photos have, where the sum of squares and the product round differently.
    photos = _RNG.random((40, 64, 64, 3), np.float32)
    assert not to_nearest_other(np.concatenate([photos, photos])).any()
    nearly = photos.copy()
    nearly[:, 0, 0, 0] += 1 / 255
    np.testing.assert_allclose(
        np.diag(pairwise(photos, nearly)), np.sqrt(1 / 255**2 / photos[0].size), rtol=1e-3
    )


def test_sliced_wasserstein_of_shifted_noise_is_the_shift_of_its_projections():
    """White noise has the same patches after normalization, whatever its deviation."""
    noise, louder = (_RNG.normal(0.5, s, (64, 32, 32, 3)).astype(np.float32) for s in (0.1, 0.2))
    among_noise = sliced_wasserstein.distances(noise, louder)
    to_structure = sliced_wasserstein.distances(noise, discs(64, 4))
    assert set(among_noise) == {32, 16}
    assert max(among_noise.values()) < 40 < 100 < min(to_structure.values())
    assert sliced_wasserstein.distances(noise, noise) == {32: 0, 16: 0}


@pytest.mark.parametrize("gray", [0.02, 0.5, 0.9, 1.0])
def test_sliced_wasserstein_of_flat_images_is_that_of_no_patches(gray):
    """A channel that does not vary is 0 everywhere, and rounding does not make it more."""
    flat, other = np.full((40, 64, 64, 3), gray, np.float32), discs(40, 4, size=64)
    found, white = (sliced_wasserstein.distances(one, other) for one in (flat, np.ones_like(flat)))
    assert found[16] == pytest.approx(white[16], rel=1e-3) and 300 < found[16] < 2000
    assert max(found.values()) < 2000


def test_the_pyramid_holds_the_image_and_each_level_its_own_size():
    """Upsampling and adding reconstructs the image; waves of one wavelength lie in one level."""
    images = discs(2, seed=1, size=64)
    levels = sliced_wasserstein._pyramid(images)
    assert [level.shape[1] for level in levels] == [64, 32, 16]
    current = levels[-1]
    for level in levels[-2::-1]:
        current = level + sliced_wasserstein._upsample(tf.constant(current)).numpy()
    np.testing.assert_allclose(current, images, atol=1e-6)

    def energies(wavelength):
        wave = np.cos(2 * np.pi * np.arange(64) / wavelength, dtype=np.float32)
        found = sliced_wasserstein._pyramid(
            np.broadcast_to(wave[:, None, None], (1, 64, 64, 3)).copy()
        )
        return [float(np.square(level).mean()) for level in found]

    assert (
        np.argmax(energies(2)) == 0
        and np.argmax(energies(10)) == 1
        and np.argmax(energies(32)) == 2
    )


def test_sliced_wasserstein_in_one_dimension():
    """Projected on any direction, patches of one gray value are that value times a constant."""
    levels = np.linspace(-1, 1, 50, dtype=np.float32)
    flat = np.broadcast_to(levels[:, None, None, None], (50, 16, 16, 3)).copy()
    skewed = np.broadcast_to(np.sign(levels)[:, None, None, None], (50, 16, 16, 3)).copy()
    found = sliced_wasserstein.distances(flat, skewed)[16]
    # Normalized they are uniform on +-sqrt(3) and +-1; sorted, their mean difference is known.
    expected = np.abs(np.sort(levels / levels.std()) - np.sort(np.sign(levels))).mean()
    directions = np.random.default_rng(2).normal(size=(147, 512))
    directions /= np.sqrt(np.square(directions).sum(0))
    assert found == pytest.approx(1000 * expected * np.abs(directions.sum(0)).mean(), rel=1e-3)


def test_sliced_wasserstein_sees_bad_images_and_has_a_reference(batch):
    good = sliced_wasserstein.measure(batch, resamples=10)["sliced_wasserstein"]
    blurred = batch.outputs.copy()
    blurred[:, 1:-1, 1:-1] = (
        sum(
            batch.outputs[:, 1 + i : 31 + i, 1 + j : 31 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)
        )
        / 9
    )
    bad = sliced_wasserstein.measure(with_outputs(batch, blurred), resamples=0)[
        "sliced_wasserstein"
    ]
    assert good.low < good.value < good.high
    assert good.value < 1.2 * good.reference and bad.value > 1.5 * good.value


def test_frechet_distance_of_normal_distributions_is_known():
    """Diagonal covariances: |difference of means|^2 + sum of (deviation - deviation)^2."""
    one = _RNG.normal(0, 1, (200_000, 3)) * [1, 2, 3]
    other = _RNG.normal(0, 1, (200_000, 3)) * [2, 2, 1] + [1, 0, 2]
    assert features.frechet_distance(one, other) == pytest.approx(1 + 4 + 1 + 0 + 4, rel=0.02)


@pytest.mark.parametrize(("count", "size"), [(30, 100), (100, 30)])
def test_frechet_distance_is_that_of_a_direct_computation(count, size):
    one, other = (
        _RNG.normal(size=(count, size)),
        _RNG.normal(size=(count + 5, size)) @ np.diag(np.arange(size) / 9),
    )
    covariances = [np.cov(features_, rowvar=False) for features_ in (one, other)]
    roots = np.sqrt(np.maximum(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0))
    between = np.square(one.mean(0) - other.mean(0)).sum()
    expected = between + sum(map(np.trace, covariances)) - 2 * roots.sum()
    # The direct way takes roots of eigenvalues that are 0 but for rounding.
    assert features.frechet_distance(one, other) == pytest.approx(expected, rel=1e-5)


def test_kernel_distance_is_that_of_a_direct_computation_and_unbiased():
    one, other = _RNG.normal(size=(6, 4)), _RNG.normal(size=(5, 4))

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    def within(rows):
        pairs = [kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
        return np.mean(pairs)

    across = np.mean([kernel(x, y) for x in one for y in other])
    assert features.kernel_distance(one, other) == pytest.approx(
        within(one) + within(other) - 2 * across
    )
    same = [features.kernel_distance(*_RNG.normal(size=(2, 20, 4))) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(300)


def test_a_missing_or_wrong_file_of_weights_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no such file.*InceptionV3"):
        features.create_extractor(tmp_path / "absent.h5")
    (tmp_path / "wrong.h5").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not weights of InceptionV3"):
        features.create_extractor(tmp_path / "wrong.h5")


@pytest.mark.parametrize(
    "file", ["weights.h5", pytest.param("network.weights.h5", marks=pytest.mark.slow)]
)
def test_features_are_those_of_the_weights_in_the_file(tmp_path, file):
    """With random weights: both of Keras's file formats, and images in batches and alone."""
    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
    save = network.save_weights if file.endswith(".weights.h5") else network.save
    save(tmp_path / file)
    images = discs(2, seed=3)
    found = features.create_extractor(tmp_path / file)(images)
    enlarged = tf.image.resize(images, [299, 299])
    expected = network(2 * enlarged - 1, training=False).numpy()
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()


def test_other_real_images_are_none_of_the_targets(batch):
    """As if the training images themselves were measured: references compare none with itself."""
    targets = np.concatenate([batch.training[:10], batch.targets[:10]])
    mixed = dataclasses.replace(batch, targets=targets)
    others = evenly_spaced(batch.training[10:], 20)
    np.testing.assert_array_equal(mixed.other_real, others)
    measured = sliced_wasserstein.measure(mixed, 0)["sliced_wasserstein"]
    levels = sliced_wasserstein.distances(others, targets)
    assert measured.reference == pytest.approx(np.mean(list(levels.values())))
    itself = dataclasses.replace(batch, targets=batch.training)
    assert itself.other_real is None
    assert sliced_wasserstein.measure(itself, 0)["sliced_wasserstein"].reference is None

    def extract(images):
        return images.reshape(len(images), -1)[:, ::64]

    assert features.measure(itself, 0, extract)["kernel"].reference is None
    assert features.measure(mixed, 0, extract)["kernel"].reference is not None


def test_few_images_carry_a_warning(batch):
    def extract(images):
        return images[:, ::8, ::8].reshape(len(images), -1)

    found = features.measure(batch, 10, extract)
    assert "fewer than 1000" in found["frechet"].note and not found["kernel"].note
    assert found["frechet"].value > 0 and found["frechet"].reference > 0
    assert found["kernel"].low < found["kernel"].value < found["kernel"].high


def test_reconstruction_of_known_errors(batch):
    perfect = reconstruction.measure(batch, 20)
    assert perfect["reconstruction_mse"].value == 0
    assert perfect["reconstruction_psnr"].value == pytest.approx(100)
    assert perfect["reconstruction_ssim"].value == pytest.approx(1)
    off = reconstruction.measure(dataclasses.replace(batch, inverse=lambda p: p - 0.1), 20)
    assert off["reconstruction_mse"].value == pytest.approx(0.01, rel=1e-3)
    assert off["reconstruction_psnr"].value == pytest.approx(20, rel=1e-3)
    assert off["reconstruction_ssim"].value < 1
    assert reconstruction.measure(dataclasses.replace(batch, inverse=None), 20) == {}


def test_diversity_of_real_images_of_one_and_of_none(batch):
    found = diversity.measure(with_outputs(batch, batch.targets), 20)
    assert found["diversity"].value == pytest.approx(1)
    assert (
        found["duplicates"].value == found["duplicates"].reference == 0.1
    )  # The two closest of 20.
    half = batch.targets.copy()
    half[10:] = half[0]
    found = diversity.measure(with_outputs(batch, half), 20)
    assert 0.5 < found["diversity"].value < 0.9
    assert found["duplicates"].value == pytest.approx(11 / 20)
    alike = np.repeat(batch.targets[:1], 20, axis=0)
    found = diversity.measure(with_outputs(batch, alike), 20)
    assert found["diversity"].value < 0.02 and found["duplicates"].value == 1


def test_a_collapse_is_seen_although_real_images_are_repeated(batch):
    """Then the least distance between real ones is 0, and that between the translations as well."""
    targets = np.concatenate([batch.targets, batch.targets])
    repeated = with_outputs(dataclasses.replace(batch, targets=targets), targets[:1].repeat(40, 0))
    found = diversity.measure(repeated, 0)
    assert found["duplicates"].value == found["duplicates"].reference == 1
    assert found["diversity"].value == 0
    once = dataclasses.replace(repeated, targets=targets[:21])
    assert diversity.measure(once, 0)["duplicates"].value == 1


def test_real_images_that_are_all_the_same_measure_nothing(batch):
    same = dataclasses.replace(batch, targets=batch.targets[:1].repeat(4, 0))
    assert diversity.measure(same, 20) == {}
    # Held-out images that are training images but for a rounding error.
    nearly = dataclasses.replace(batch, targets=batch.training[:4] + np.float32(1e-7))
    assert memorization.measure(nearly, 20) == {}


def _entry(low, high, better):
    return {"value": (low + high) / 2, "low": low, "high": high, "better": better}


@pytest.mark.parametrize(
    ("other", "better", "verdict"),
    [
        ((3, 4), "lower", "worse"),
        ((3, 4), "higher", "better"),
        ((-1, 0.5), "lower", "better"),
        ((1.5, 4), "lower", "not distinguishable"),
        ((3, 4), "", ""),
        ((None, 4), "lower", ""),
    ],
)
def test_verdicts_compare_intervals(other, better, verdict):
    low, high = other
    other = {"value": 3, "low": low, "high": high, "better": better}
    assert tables.verdict(_entry(1, 2, better), other) == verdict
    assert tables.verdict(None, other) == ""


def test_memorization_of_copies_and_of_fresh_images(batch):
    copied = memorization.measure(with_outputs(batch, batch.training[:20]), 20)["nearest_training"]
    assert copied.value < 0.01
    fresh = memorization.measure(with_outputs(batch, discs(20, 9)), 20)["nearest_training"]
    assert 0.6 < fresh.value < 1.6


def test_memorization_is_measured_by_targets_that_training_has_not_seen(batch):
    """Half of the targets are training images; then all are."""
    expected = memorization.measure(batch, 0)["nearest_training"].value
    targets = np.concatenate([batch.targets, batch.training[: len(batch.targets)]])
    mixed = dataclasses.replace(batch, targets=targets)
    assert memorization.measure(mixed, 0)["nearest_training"].value == pytest.approx(expected)
    seen = dataclasses.replace(batch, targets=batch.training[:9])
    assert memorization.measure(seen, 0) == {}


def test_steganography_is_detected(batch):
    """One translation encodes the original in its lowest bits, another shows it openly."""
    honest = steganography.measure(
        dataclasses.replace(batch, inverse=lambda images: images * 0.9), 20
    )["steganography"]
    assert honest.value == pytest.approx(1, abs=0.2)
    hidden = batch.targets + batch.inputs * 1e-3
    stealthy = dataclasses.replace(
        with_outputs(batch, hidden), inverse=lambda images: (images - batch.targets) * 1e3 + 0.01
    )
    assert steganography.measure(stealthy, 20)["steganography"].value > 100


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(100):
        values = np.random.default_rng(seed).normal(3, 1, 60)
        measured = mean_of(values, 200)
        held += measured.low <= 3 <= measured.high
    assert 87 <= held <= 100
    assert bootstrap_interval(lambda sample: 0.0, 5, 0) == (None, None)


def test_score_prefers_what_is_real_and_keeps_colors(batch):
    related = metrics.measure(batch)
    unrelated = metrics.measure(with_outputs(batch, batch.inputs[np.roll(np.arange(20), 7)]))
    assert related["score"].value < unrelated["score"].value
    assert related["score"].value == pytest.approx(
        related["sliced_wasserstein"].value * 1.0, rel=1e-6
    )


def test_the_score_is_as_unsure_as_its_parts(batch):
    partly_related = batch.outputs.copy()
    partly_related[:8] = batch.outputs[np.roll(np.arange(8), 3)]
    found = metrics.measure(with_outputs(batch, partly_related), resamples=20)
    realism, carried, score = found["sliced_wasserstein"], found["relation"], found["score"]
    parts = (
        (2 - carried.value) * (realism.high - realism.low),
        realism.value * (carried.high - carried.low),
    )
    assert max(parts) < score.high - score.low <= sum(parts)
    assert score.low < score.value < score.high


def test_without_input_images_only_realism_and_variety_are_measured(batch):
    found = metrics.measure(dataclasses.replace(batch, inputs=None, inverse=None))
    assert found.keys() == {
        "sliced_wasserstein", "diversity", "duplicates", "nearest_training", "score",
    }  # fmt: skip
    assert found["score"] == found["sliced_wasserstein"]
