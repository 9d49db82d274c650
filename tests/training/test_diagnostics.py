import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.models import create_model
from discogan_tf.training.diagnostics import Diagnostics
from discogan_tf.training.loop import train

_NAMES = {"a": "handbags", "b": "shoes"}
_HEALTHY = {
    "diversity": 0.9,
    "saturated": 0.0,
    "relation_lightness": 0.5,
    "relation_red": 0.1,
    "relation_yellow": -0.1,
}
_LOSSES = {f"discriminator_{d}_{part}": 0.5 for d in "ab" for part in ("real", "fake")}


def _sounded(metrics=None, losses=None, times=5):
    """Diagnostics of a few evaluations alike."""
    alarms = Diagnostics()
    found = []
    for _ in range(times):
        found += alarms.look(
            {"handbags2shoes": _HEALTHY | (metrics or {})}, _LOSSES | (losses or {}), _NAMES
        )
    return found


def test_a_healthy_run_is_silent():
    assert _sounded() == []


@pytest.mark.parametrize(
    ("metrics", "losses", "words"),
    [
        ({"diversity": 0.1}, {}, "look all alike (diversity 0.10"),
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
def test_each_alarm_sounds_once_and_says_what_to_try(metrics, losses, words):
    (found,) = _sounded(metrics, losses)
    assert words in found and "ry " in found.partition(words)[2]
    assert _sounded(metrics, losses, times=1) == []  # One evaluation is not enough.


def test_an_alarm_sounds_again_after_it_was_silent():
    alarms = Diagnostics()
    found = []
    for diversity in (0.1, 0.1, 0.1, 0.9, 0.1, 0.1):
        found += alarms.look({"x": _HEALTHY | {"diversity": diversity}}, _LOSSES, _NAMES)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("bias", "words", "stops"),
    [(None, "look all alike", (1, 2)), (30.0, "pure black or white", (2,))],
)
def test_a_run_gone_wrong_is_told_in_the_terminal_and_to_tensorboard(
    tiny_config, monkeypatch, capsys, bias, words, stops
):
    """A generator that draws one gray image for everything, or white alone: at two evaluations in a row,
    also where the run was stopped between them."""

    def broken(config, dtype):
        model = create_model(config, dtype)
        for network in model.generators.values():
            network.to_image.kernel.assign(tf.zeros_like(network.to_image.kernel))
            if bias:
                network.to_image.bias.assign(np.full(3, -bias, np.float32))
        return model

    monkeypatch.setattr("discogan_tf.training.loop.create_model", broken)
    config = dataclasses.replace(
        tiny_config, evaluate_every_steps=1, ema_decay=0.0, learning_rate=1e-12, flip=False
    )
    for num_steps in stops:
        train(dataclasses.replace(config, num_steps=num_steps))
    assert words in capsys.readouterr().out
    lines = map(json.loads, Path(config.workdir, "metrics.jsonl").read_text().splitlines())
    assert any(words in line.get("alarm", "") for line in lines)
    assert any(words in text for text in _texts(config.workdir))


def _texts(workdir):
    """What stands under "alarms" in TensorBoard's log."""
    return [
        text.decode()
        for path in (Path(workdir) / "logs").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "alarms"
        for text in value.tensor.string_val
    ]
