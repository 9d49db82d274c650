"""Each metric on a case whose answer is known."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.errors import DataError
from discogan_tf.evaluation import (
    color,
    diversity,
    features,
    memorization,
    metrics,
    plane,
    reconstruction,
    retrieval,
    sliced_wasserstein,
    steganography,
    tables,
)
from discogan_tf.evaluation.distances import pairwise, to_nearest_other
from discogan_tf.evaluation.measurement import bootstrap_interval, mean_of
from discogan_tf.evaluation.translations import EvalBatch

_RNG = np.random.default_rng(0)


def _things(count, seed, size=32):
    """Colored discs of several sizes on white, of 8 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    radius = rng.uniform(0.15, 0.45, (count, 1, 1))
    inside = (np.hypot(x, y) < radius)[..., None]
    colors = rng.uniform(0, 0.8, (count, 1, 1, 3))
    return pixels.to_float(pixels.to_uint8(np.where(inside, colors, 1.0))).numpy()


@pytest.fixture
def batch():
    """Translations that look real, with perfect reconstructions."""
    inputs = _things(20, 1)
    return EvalBatch(
        inputs=inputs,
        outputs=inputs,
        unrounded=inputs,
        targets=_things(20, 2),
        training=_things(40, 3),
        inverse=lambda images: images,
    )


def _with_outputs(batch, outputs):
    return dataclasses.replace(batch, outputs=outputs, unrounded=outputs)


def test_distances_are_those_of_a_plain_computation():
    one, other = _RNG.random((5, 8, 8, 3), np.float32), _RNG.random((7, 8, 8, 3), np.float32)
    expected = np.sqrt(np.square(one[:, None] - other[None]).mean((2, 3, 4)))
    np.testing.assert_allclose(pairwise(one, other), expected, atol=1e-5)
    twins = np.concatenate([one, one[:1]])
    assert to_nearest_other(twins)[0] == 0 and to_nearest_other(twins)[1] > 0.1


def test_sliced_wasserstein_of_shifted_noise_is_the_shift_of_its_projections():
    """White noise has the same patches after normalization, whatever its deviation."""
    noise, louder = (_RNG.normal(0.5, s, (64, 32, 32, 3)).astype(np.float32) for s in (0.1, 0.2))
    among_noise = sliced_wasserstein.distances(noise, louder)
    to_structure = sliced_wasserstein.distances(noise, _things(64, 4))
    assert set(among_noise) == {32, 16}
    assert max(among_noise.values()) < 40 < 100 < min(to_structure.values())
    assert sliced_wasserstein.distances(noise, noise) == {32: 0, 16: 0}


def test_the_pyramid_holds_the_image_and_each_level_its_own_size():
    """Upsampling and adding reconstructs the image; waves of one wavelength lie in one level."""
    images = _things(2, seed=1, size=64)
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
    bad = sliced_wasserstein.measure(_with_outputs(batch, blurred), resamples=0)[
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
    images = _things(2, seed=3)
    found = features.create_extractor(tmp_path / file)(images)
    enlarged = tf.image.resize(images, [299, 299])
    expected = network(2 * enlarged - 1, training=False).numpy()
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()


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
    found = diversity.measure(_with_outputs(batch, batch.targets), 20)
    assert found["diversity"].value == pytest.approx(1)
    assert (
        found["duplicates"].value == found["duplicates"].reference == 0.1
    )  # The two closest of 20.
    half = batch.targets.copy()
    half[10:] = half[0]
    found = diversity.measure(_with_outputs(batch, half), 20)
    assert 0.5 < found["diversity"].value < 0.9
    assert found["duplicates"].value == pytest.approx(11 / 20)
    alike = np.repeat(batch.targets[:1], 20, axis=0)
    found = diversity.measure(_with_outputs(batch, alike), 20)
    assert found["diversity"].value < 0.02 and found["duplicates"].value == 1


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
    gray = np.repeat(_things(20, 1)[..., :1], 3, -1)
    inverse = np.where(gray > 0.95, gray, 0.8 - gray)
    found = color.measure(
        _with_outputs(dataclasses.replace(batch, inputs=gray), inverse.astype(np.float32)), 20
    )
    assert found["relation_lightness"].value < -0.95
    strangers = color.measure(_with_outputs(batch, batch.targets), 50)
    assert (
        abs(strangers["relation"].value) < 0.4
        and strangers["relation"].low < 0 < strangers["relation"].high
    )


def test_the_ground_truth_of_colors_is_compared_if_it_is_known(batch):
    true = batch.inputs[:, 16, 16]
    found = color.measure(dataclasses.replace(batch, ground_truth_colors=true), 20)
    assert found["ground_truth_color"].value == pytest.approx(1, abs=1e-6)
    assert "ground_truth_color" not in color.measure(batch, 20)


def test_retrieval_of_the_ground_truth_of_none_and_by_chance(batch):
    order = np.random.default_rng(5).permutation(20)
    paired = dataclasses.replace(batch, pairs=order)
    found = retrieval.measure(_with_outputs(paired, batch.targets[order]), 20)
    assert found["retrieval_top_1"].value == found["retrieval_top_5"].value == 1
    assert (found["retrieval_top_1"].reference, found["retrieval_top_5"].reference) == (
        1 / 20,
        5 / 20,
    )
    assert found["retrieval_untranslated_top_1"].value < 0.5  # The inputs are other images.
    wrong = retrieval.measure(_with_outputs(paired, batch.targets[np.roll(order, 1)]), 20)
    assert wrong["retrieval_top_1"].value == 0
    assert retrieval.measure(batch, 20) == {}


def test_retrieval_by_gradients_ignores_color(batch):
    """A recolored target is found by its gradients, and so is one that stands elsewhere not."""
    paired = dataclasses.replace(batch, pairs=np.arange(20))
    found = retrieval.measure(_with_outputs(paired, batch.targets[..., ::-1] * 0.5 + 0.5), 0)
    assert found["retrieval_gradients_top_1"].value > 0.9
    moved = retrieval.measure(_with_outputs(paired, np.roll(batch.targets, 8, axis=2)), 0)
    assert moved["retrieval_gradients_top_1"].value < 0.5
    itself = retrieval.measure(dataclasses.replace(paired, inputs=batch.targets), 0)
    assert itself["retrieval_fixed_rule_top_1"].value > 0.9


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
    assigned = color.measure(_with_outputs(batch, batch.targets[chosen]), 20)["color_cost"]
    assert assigned.value == pytest.approx(assigned.reference) == pytest.approx(costs.mean())
    shuffled = color.measure(_with_outputs(batch, batch.targets), 20)["color_cost"]
    assert assigned.value < 0.8 * shuffled.value
    assert f"{color.random_cost(inputs, targets):.0f} for random" in shuffled.note


def test_the_plane_has_its_reference_points(batch):
    found = plane.points({"run": batch}, None)
    assert list(found) == ["run", "untranslated", "real, shuffled", "real, best assignment"]
    assert found["run"] == found["untranslated"] and found["untranslated"].color_cost == 0
    assert found["real, best assignment"].color_cost < 0.8 * found["real, shuffled"].color_cost


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
    copied = memorization.measure(_with_outputs(batch, batch.training[:20]), 20)["nearest_training"]
    assert copied.value < 0.01
    fresh = memorization.measure(_with_outputs(batch, _things(20, 9)), 20)["nearest_training"]
    assert 0.6 < fresh.value < 1.6


def test_steganography_is_detected(batch):
    """One translation encodes the original in its lowest bits, another shows it openly."""
    honest = steganography.measure(
        dataclasses.replace(batch, inverse=lambda images: images * 0.9), 20
    )["steganography"]
    assert honest.value == pytest.approx(1, abs=0.2)
    hidden = batch.targets + batch.inputs * 1e-3
    stealthy = dataclasses.replace(
        _with_outputs(batch, hidden), inverse=lambda images: (images - batch.targets) * 1e3 + 0.01
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
    unrelated = metrics.measure(_with_outputs(batch, batch.inputs[np.roll(np.arange(20), 7)]))
    assert related["score"].value < unrelated["score"].value
    assert related["score"].value == pytest.approx(
        related["sliced_wasserstein"].value * 1.0, rel=1e-6
    )


def test_the_score_is_as_unsure_as_its_parts(batch):
    partly_related = batch.outputs.copy()
    partly_related[:8] = batch.outputs[np.roll(np.arange(8), 3)]
    found = metrics.measure(_with_outputs(batch, partly_related), resamples=20)
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
