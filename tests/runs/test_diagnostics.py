import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.evaluation.consistency import training_gaps
from discogan_tf.losses import ADVERSARIAL
from discogan_tf.models import create_model
from discogan_tf.networks.statistics import reestimate_statistics, statistics_function
from discogan_tf.runs.diagnostics import Diagnostics, replay
from discogan_tf.training.loop import train
from tests.training.fakes import fake_losses, with_fake_step

_TARGETS = {"a_to_b": "b", "b_to_a": "a"}
_HEALTHY = {
    "score": 50.0,
    "diversity": 0.9,
    "saturated": 0.0,
    "relation_lightness": 0.5,
    "relation_red": 0.1,
    "relation_yellow": -0.1,
}
_LOSSES = {f"discriminator_{d}_{part}": 0.5 for d in "ab" for part in ("real", "fake")}


def _warnings(metrics=None, losses=None, times=5, loss="cross_entropy"):
    """The warnings of a few equal evaluations."""
    diagnostics = _diagnostics(loss)
    found = []
    for step in range(times):
        measured = {"handbags2shoes": _HEALTHY | (metrics or {})}
        found += diagnostics.update(step, measured, _LOSSES | (losses or {})).new
    return found


def _diagnostics(loss="cross_entropy"):
    return Diagnostics(Config(adversarial_loss=loss), _TARGETS)


def test_a_healthy_run_has_no_warnings():
    assert _warnings() == []


@pytest.mark.parametrize(
    ("metrics", "losses", "words"),
    [
        ({"diversity": 0.1}, {}, "mode collapse, the translations look alike (diversity 0.10"),
        ({"saturated": 0.6}, {}, "pure black or white"),
        (
            {"relation_lightness": -0.7},
            {},
            "colors are inverted (correlation with the input: lightness -0.70",
        ),
        (
            {},
            {"discriminator_b_real": 0.01, "discriminator_b_fake": 0.02},
            "discriminator of shoes has won",
        ),
        ({"training_gap": 0.15}, {}, "differs from the one that trains"),
        (
            {},
            {"adversarial_a_to_b": 4.0, "discriminator_b_fake": 0.04},
            "discriminator of shoes outpaces its generator, whose adversarial loss is 4.0",
        ),
        (
            {},
            {"discriminator_a_real": 0.69, "discriminator_a_fake": 0.695},
            "discriminator of handbags has died",
        ),
    ],
)
def test_each_warning_is_given_once_and_says_what_to_try(metrics, losses, words):
    (found,) = _warnings(metrics, losses)
    assert words in found and "ry " in found.partition(words)[2]
    assert _warnings(metrics, losses, times=1) == []  # One evaluation is not enough.


@pytest.mark.parametrize(
    ("loss", "logits"),
    {"cross_entropy": (4.0, -4.0), "least_squares": (0.98, 0.02), "hinge": (2.0, -6.0)}.items(),
)
def test_a_discriminator_that_outpaces_its_generator_is_seen_with_every_loss(loss, logits):
    functions, (real, fake) = ADVERSARIAL[loss], (tf.fill([4, 2, 2], logit) for logit in logits)
    losses = {
        "discriminator_b_real": float(functions.real(real)),
        "discriminator_b_fake": float(functions.fake(fake)),
    }
    for share, expected in ((1.0, 1), (0.5, 0)):
        generator = share * float(functions.generator(fake))
        found = _warnings(losses=losses | {"adversarial_a_to_b": generator}, loss=loss)
        assert len([text for text in found if "of shoes outpaces" in text]) == expected


@pytest.mark.parametrize("normalization", ["batch", "spectral"])
def test_no_warning_recommends_what_is_on(normalization):
    diagnostics = Diagnostics(Config(discriminator_normalization=normalization), _TARGETS)
    losses = _LOSSES | {"adversarial_a_to_b": 4.0, "discriminator_b_fake": 0.04}
    for step in range(4):
        warnings = diagnostics.update(step, {"bags2shoes": _HEALTHY}, losses)
    (text,) = warnings.holding
    recommended = "--discriminator_normalization=spectral" in text
    assert recommended == (normalization == "batch") and "--learning_rate" in text


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("discogan", "--reconstruction_weight"),
        ("recon_gan", "--reconstruction_weight"),
        ("gan", "--model=discogan"),
        ("stackgan", "--kl_weight"),
    ],
)
def test_remedies_against_mode_collapse_have_an_effect(model, remedy):
    diagnostics = Diagnostics(Config(model=model), _TARGETS)
    for step in range(2):
        warnings = diagnostics.update(step, {"bags2shoes": _HEALTHY | {"diversity": 0.1}}, {})
    (text,) = warnings.holding
    others = {"--reconstruction_weight", "--model=discogan", "--kl_weight"} - {remedy}
    assert remedy in text and not any(other in text for other in others)


def test_drawings_cannot_have_inverted_colors():
    """Their lightness is the number of lines."""
    without_hues = {"relation_lightness": -0.7, "relation_red": 0.0, "relation_yellow": 0.0}
    assert _warnings(without_hues) == []


@pytest.mark.parametrize("loss", ADVERSARIAL)
def test_thresholds_hold_for_every_loss(loss):
    """A discriminator that outputs what is undecided has died, one that separates has won."""
    undecided = {"cross_entropy": 0.0, "least_squares": 0.5, "hinge": 0.0}[loss]
    separates = {"cross_entropy": (5, -5), "least_squares": (0.95, 0.05), "hinge": (2, -2)}[loss]

    def losses(real, fake):
        functions = ADVERSARIAL[loss]
        return {
            "discriminator_b_real": float(functions.real(tf.fill([4, 2, 2], float(real)))),
            "discriminator_b_fake": float(functions.fake(tf.fill([4, 2, 2], float(fake)))),
        }

    quarter = [undecided + (logit - undecided) / 4 for logit in separates]
    assert _warnings(losses=losses(*quarter), loss=loss) == []
    (died,) = _warnings(losses=losses(undecided, undecided), loss=loss)
    assert "discriminator of shoes has died" in died
    (won,) = _warnings(losses=losses(*separates), loss=loss)
    assert "discriminator of shoes has won" in won


def test_a_warning_is_given_again_after_it_did_not_hold():
    diagnostics, found = _diagnostics(), []
    for step, diversity in enumerate((0.1, 0.1, 0.1, 0.9, 0.1, 0.1)):
        found += diagnostics.update(step, {"x": _HEALTHY | {"diversity": diversity}}, _LOSSES).new
    assert len(found) == 2


def test_a_score_far_above_its_best_names_the_best_checkpoint():
    diagnostics = _diagnostics()
    scores = {400: 60, 800: 50, 1200: 70, 1600: 64, 2000: 70, 2400: 70}
    found = {
        step: diagnostics.update(step, {"bags2shoes": _HEALTHY | {"score": score}}, _LOSSES)
        for step, score in scores.items()
    }
    assert [step for step, warnings in found.items() if warnings.new] == [2400]
    assert [step for step, warnings in found.items() if warnings.is_worse] == [2400]
    (text,) = found[2400].holding
    assert "was 50 at step 800" in text and "--checkpoint=best_bags2shoes" in text


def test_what_still_holds_is_known_at_the_end():
    """Of a log: that a warning began to hold long ago does not matter."""
    records = []
    for step in range(6):
        measured = _HEALTHY | {"diversity": 0.1, "saturated": 0.5 if step < 3 else 0.0}
        records += [{"step": step} | _LOSSES, {"step": step, "metrics": {"x": measured}}]
    last = replay(_diagnostics(), records)
    assert last.new == [] and len(last.holding) == 1 and "mode collapse" in last.holding[0]


def test_directions_without_input_images_have_no_color_warnings():
    values = {"score": 50.0, "diversity": 0.9, "saturated": 0.0}
    assert _diagnostics().update(1, {"shoes": values}, {}).holding == []


@pytest.mark.parametrize(
    ("bias", "words", "stops"),
    [(None, "mode collapse", (1, 2)), (30.0, "pure black or white", (2,))],
)
def test_a_run_gone_wrong_warns_in_the_terminal_and_in_tensorboard(
    tiny_config, monkeypatch, capsys, bias, words, stops
):
    """A generator that outputs one gray image for everything, or white: at two evaluations in a
    row, also if the run was stopped between them."""

    def broken(config, dtype):
        model = create_model(config, dtype)
        for network in model.generators.values():
            network.to_image.kernel.assign(tf.zeros_like(network.to_image.kernel))
            if bias:
                network.to_image.bias.assign(np.full(3, -bias, np.float32))
        return model

    monkeypatch.setattr("discogan_tf.training.loop.create_model", broken)
    with_fake_step(monkeypatch, lambda number: fake_losses())
    config = dataclasses.replace(
        tiny_config, model="gan", evaluate_every_steps=1, ema_decay=0.0,
        # To bags: the synthetic shoes leave most of an image white.
        domain_a=tiny_config.domain_b, domain_b=tiny_config.domain_a,
    )  # fmt: skip
    for num_steps in stops:
        train(dataclasses.replace(config, num_steps=num_steps))
    printed = capsys.readouterr().out
    assert words in printed.partition("WARNING, at the last evaluation:")[2]
    lines = map(json.loads, Path(config.workdir, "metrics.jsonl").read_text().splitlines())
    assert any(words in line.get("warning", "") for line in lines)
    assert any(words in text for text in _texts(config.workdir))


def _texts(workdir):
    """The texts of TensorBoard's tag "warnings"."""
    return [
        text.decode()
        for path in (Path(workdir) / "logs").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "warnings"
        for text in value.tensor.string_val
    ]


def test_a_run_that_has_become_worse_stops(tiny_config, monkeypatch, capsys):
    """At the second bad evaluation, with a checkpoint; the same command does not go on."""
    with_fake_step(monkeypatch, lambda number: fake_losses())
    scores = iter([50.0, 90.0, 90.0, 90.0])

    def measure(self):
        score = next(scores)
        return {"handbags2shoes": _HEALTHY | {"score": score}}

    monkeypatch.setattr("discogan_tf.training.evaluator.Evaluator.measure", measure)
    config = dataclasses.replace(
        tiny_config,
        model="gan",
        evaluate_every_steps=1,
        save_every_steps=100,
        num_steps=4,
        stop_when_worse=True,
    )
    assert train(config).step == 3
    printed = capsys.readouterr().out
    assert "at step 3 of 4, because the results have become worse" in printed
    assert "was 50 at step 1" in printed
    assert train(config).step == 3  # From the checkpoint of that step.
    assert train(dataclasses.replace(config, stop_when_worse=False)).step == 4


def test_batch_norm_that_leaks_is_noticed(tiny_config):
    """Shipped and training-mode outputs: equal with one set of statistics, unequal without."""
    batch = {stream: tf.random.stateless_uniform((8, 32, 32, 3), [1, 2]) for stream in "ab"}
    batch["b"] = batch["b"] / 4
    found = {}
    for normalization in ("batch", "batch_renorm"):
        config = dataclasses.replace(tiny_config, normalization=normalization)
        model = create_model(config, tf.float32)
        for generator in model.generators.values():
            reestimate_statistics(generator, statistics_function(generator), [(batch["a"],)])
        found[normalization] = training_gaps(model, batch)
    assert found["batch"]["a_to_b"] > 1e-3 > 10 * found["batch_renorm"]["a_to_b"]
