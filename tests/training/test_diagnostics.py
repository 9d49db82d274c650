import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.losses import ADVERSARIAL
from discogan_tf.models import create_model
from discogan_tf.training.diagnostics import Diagnostics
from discogan_tf.training.loop import train
from tests.training.fakes import fake_losses, with_fake_step

_NAMES = {"a": "handbags", "b": "shoes"}
_HEALTHY = {
    "diversity": 0.9,
    "saturated": 0.0,
    "relation_lightness": 0.5,
    "relation_red": 0.1,
    "relation_yellow": -0.1,
}
_LOSSES = {f"discriminator_{d}_{part}": 0.5 for d in "ab" for part in ("real", "fake")}


def _warnings(metrics=None, losses=None, times=5, loss="cross_entropy"):
    """The warnings of a few equal evaluations."""
    diagnostics = Diagnostics(_NAMES, ADVERSARIAL[loss])
    found = []
    for _ in range(times):
        found += diagnostics.update(
            {"handbags2shoes": _HEALTHY | (metrics or {})}, _LOSSES | (losses or {})
        )
    return found


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
    diagnostics = Diagnostics(_NAMES, ADVERSARIAL["cross_entropy"])
    found = []
    for diversity in (0.1, 0.1, 0.1, 0.9, 0.1, 0.1):
        found += diagnostics.update({"x": _HEALTHY | {"diversity": diversity}}, _LOSSES)
    assert len(found) == 2


def test_directions_without_input_images_have_no_color_warnings():
    diagnostics = Diagnostics(_NAMES, ADVERSARIAL["cross_entropy"])
    assert diagnostics.update({"shoes": {"diversity": 0.9, "saturated": 0.0}}, {}) == []


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
    config = dataclasses.replace(tiny_config, evaluate_every_steps=1, ema_decay=0.0)
    for num_steps in stops:
        train(dataclasses.replace(config, num_steps=num_steps))
    assert words in capsys.readouterr().out
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
