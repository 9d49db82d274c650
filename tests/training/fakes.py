"""What the tests of runs share: steps that compute nothing, and what a run logged."""

import json
from pathlib import Path

import tensorflow as tf

from discogan_tf.training import loop
from discogan_tf.training.train_loop import StepMetrics


def logged_losses(workdir):
    lines = (Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "generator_total" in line]


def tensorboard_tags(workdir):
    """TensorBoard tag -> steps."""
    found = {}
    for path in sorted((Path(workdir) / "logs").iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


def with_fake_step(monkeypatch, on_step):
    """Replaces the training steps by ones whose losses `on_step(number)` returns.

    Returns:
      The list of calls to come: first step, number of steps.
    """
    numbers, called = iter(range(1, 1000)), []

    def calls(elements, first_step, count):
        called.append((first_step, count))
        losses = [on_step(next(numbers)) for _ in range(count)]
        return StepMetrics(
            first_step, list(losses[0]), tf.stack([list(loss.values()) for loss in losses])
        )

    monkeypatch.setattr(loop, "create_train_loop", lambda *arguments: calls)
    return called


def with_fake_metrics(monkeypatch):
    """Replaces what evaluations measure by what needs no warning."""
    metrics = {"score": 50.0, "diversity": 0.9, "saturated": 0.0}
    monkeypatch.setattr(
        "discogan_tf.training.evaluator.Evaluator.measure",
        lambda self: {"handbags2shoes": metrics},
    )


def fake_losses(**changed):
    names = ("generator_total", "discriminator_total", "reconstruction_a", "discriminator_a_real",
             "discriminator_a_fake")  # fmt: skip
    return {name: tf.constant(0.5) for name in names} | {
        name: tf.constant(value) for name, value in changed.items()
    }
