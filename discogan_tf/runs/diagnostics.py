"""Warnings about training that goes wrong: mode collapse, saturation, inverted colors, and more.

Each warning is a test on the metrics of evaluations or on the losses, and a text for the user. It
is given after a few evaluations in a row, and again only if it did not hold in between. Those that
still hold at the end of a run are repeated there, by exports and in the model card.
"""

from collections.abc import Callable
from typing import NamedTuple

from discogan_tf.config import Config
from discogan_tf.losses import ADVERSARIAL
from discogan_tf.runs.metrics_log import METRICS, losses_at


class Diagnostic(NamedTuple):
    """A training failure and its warning.

    Attributes:
      holds: Predicate on the metrics of one direction, or on the losses of one discriminator.
      patience: Number of evaluations in a row in which it must hold.
      text: What the user reads. `{name}` is the direction or the discriminator's domain,
        `{remedies}` what to try against discriminators that learn too fast, `{collapse_remedies}`
        against mode collapse.
    """

    holds: Callable[[dict[str, float]], bool]
    patience: int
    text: str


# Name of the diagnostic that --stop_when_worse acts on.
WORSE = "worse"
# Model -> what to try against mode collapse.
_COLLAPSE_REMEDIES = {
    "gan": "--model=discogan, where cycle consistency prevents it,",
    "stackgan": "another --kl_weight",
}
_OTHER_COLLAPSE_REMEDIES = (
    "a larger --reconstruction_weight or --reconstruction_loss=l1, for stronger cycle consistency,"
)
_CORRELATIONS = ("relation_lightness", "relation_red", "relation_yellow")


def _is_inverted(m: dict[str, float]) -> bool:
    """Whether a channel is. Drawings have no hues, and their lightness is the number of lines."""
    found = [m.get(key, 0.0) for key in _CORRELATIONS]
    return min(found) < -0.4 and any(found[1:])


OF_DIRECTIONS = {
    "collapse": Diagnostic(
        lambda m: m.get("diversity", 1.0) < 0.3,
        2,
        "{name}: mode collapse, the translations look alike (diversity {diversity:.2f} of that "
        "of real images). Try {collapse_remedies} in a new --workdir.",
    ),
    "saturated": Diagnostic(
        lambda m: m.get("saturated", 0.0) > 0.3,
        2,
        "{name}: the translations are saturated (pure black or white values exceed those of real "
        "images by {saturated:.0%} of all values). Likely cause: a learning rate that was too high "
        "early on. Try a lower --learning_rate in a new --workdir.",
    ),
    "inverted": Diagnostic(
        _is_inverted,
        2,
        "{name}: colors are inverted (correlation with the input: lightness "
        "{relation_lightness:.2f}, green to red {relation_red:.2f}, blue to yellow "
        "{relation_yellow:.2f}). Adversarial and reconstruction losses do not change if one "
        "translation inverts colors and its inverse inverts them again. Try a larger "
        "--color_weight or --identity_weight in a new --workdir.",
    ),
    # Batch norm alone can cause it: other normalizations compute one function in both modes.
    "inconsistent": Diagnostic(
        lambda m: m.get("training_gap", 0.0) > 0.1,
        2,
        "{name}: the generator that is shown and exported differs from the one that trains (mean "
        "absolute difference {training_gap:.2f}). Its losses say nothing about its translations. "
        "Cause: batch norm computes another function for each kind of batch. Try "
        "--normalization=batch_renorm in a new --workdir.",
    ),
    WORSE: Diagnostic(
        lambda m: m["score"] > max(1.3 * m["best_score"], m["best_score"] + 10),
        2,
        "{name}: the results have become worse: the score is {score:.0f}, and was "
        "{best_score:.0f} at step {best_step}. That checkpoint is kept: use "
        "--checkpoint=best_{name}, or try --learning_rate_decay_steps in a new --workdir.",
    ),
}
# `real` and `fake` are the two terms of a discriminator's loss, as multiples of what an undecided
# discriminator would have, and `generator` is the loss of the generator against it, as a multiple
# of `AdversarialLoss.outpaced`, so that the thresholds hold for every adversarial loss.
OF_DISCRIMINATORS = {
    "won": Diagnostic(
        lambda m: (m["real"] + m["fake"]) / 2 < 0.036,
        3,
        "the discriminator of {name} has won (its loss is {real_loss:.3f} on real images and "
        "{fake_loss:.3f} on generated ones): the generator learns little from it. Try {remedies}.",
    ),
    "outpaced": Diagnostic(
        lambda m: m["generator"] > 1 and min(m["real"], m["fake"]) < 0.08,
        2,
        "the discriminator of {name} outpaces its generator, whose adversarial loss is "
        "{generator_loss:.1f} (its own loss is {real_loss:.3f} on real images and {fake_loss:.3f} "
        "on generated ones): what it generates drifts away from real images. Try {remedies}.",
    ),
    # Without texts, the best discriminator accepts two of three real images.
    "ignores_texts": Diagnostic(
        lambda m: m.get("wrong", 0.0) > 1.3 and m["real"] < 0.8,
        3,
        "the discriminator of {name} ignores texts: its loss is {wrong_loss:.3f} on real images "
        "with wrong texts, and {real_loss:.3f} with their own. The images will not suit their "
        "texts. Evaluate the text encoder, and train longer.",
    ),
    "died": Diagnostic(
        lambda m: abs(m["real"] - 1) < 0.0145 and abs(m["fake"] - 1) < 0.0145,
        3,
        "the discriminator of {name} has died: it is undecided about every image (its loss is "
        "{real_loss:.3f} on real images and {fake_loss:.3f} on translations; undecided is "
        "{undecided:.3f}), so nothing makes the translations look real. Try a lower "
        "--learning_rate in a new --workdir.",
    ),
}


class Warnings(NamedTuple):
    """What an evaluation gives reason to warn of.

    Attributes:
      new: The text of every warning that begins to hold.
      holding: The text of every warning that holds, the new ones included.
      is_worse: Whether the score of a direction is far above its best.
    """

    new: list[str]
    holding: list[str]
    is_worse: bool


class Diagnostics:
    """Checks each evaluation for training failures.

    Args:
      config: The run's settings.
      targets: Name of each translation -> its target domain, as discriminators are named.
    """

    def __init__(self, config: Config, targets: dict[str, str]):
        self._names, self._targets = config.display_names, targets
        self._loss = ADVERSARIAL[config.adversarial_loss]
        remedies = ["more training images", "a lower --learning_rate"]
        if config.discriminator_normalization != "spectral":
            remedies.append("--discriminator_normalization=spectral")
        self._remedies = f"{' or '.join(remedies)} in a new --workdir"
        self._collapse_remedies = _COLLAPSE_REMEDIES.get(config.model, _OTHER_COLLAPSE_REMEDIES)
        self._in_a_row: dict[tuple[str, str], int] = {}
        self._best: dict[str, tuple[float, int]] = {}

    def update(
        self, step: int, measured: dict[str, dict[str, float]], losses: dict[str, float]
    ) -> Warnings:
        """Takes an evaluation into account.

        Args:
          step: Its step.
          measured: Display name of each direction -> metric -> value, as `Evaluator` measures them.
          losses: The losses of the same step.
        """
        found = Warnings([], [], False)
        for name, values in measured.items():
            score, best_step = self._best.get(name, (float("inf"), 0))
            if values["score"] < score:
                score, best_step = self._best[name] = values["score"], step
            known = values | {"best_score": score, "best_step": best_step}
            found = self._check(OF_DIRECTIONS, name, known, found)
        for domain, values in self._discriminators(losses).items():
            name = self._names.get(domain, domain)
            found = self._check(OF_DISCRIMINATORS, name, values, found)
        return found

    def _discriminators(self, losses: dict[str, float]) -> dict[str, dict[str, float]]:
        """Domain of each discriminator -> what the tests of `OF_DISCRIMINATORS` need."""
        generators = {
            self._targets.get(name.removeprefix("adversarial_")): loss
            for name, loss in losses.items()
            if name.startswith("adversarial_")
        }
        found, undecided = {}, self._loss.undecided
        for name, real in losses.items():
            domain = name.removeprefix("discriminator_").removesuffix("_real")
            fake = losses.get(f"discriminator_{domain}_fake")
            if name == f"discriminator_{domain}_real" and fake is not None:
                found[domain] = {
                    "real": real / undecided,
                    "fake": fake / undecided,
                    "generator": generators.get(domain, 0.0) / self._loss.outpaced,
                    "real_loss": real,
                    "fake_loss": fake,
                    "generator_loss": generators.get(domain, 0.0),
                    "undecided": undecided,
                }
                wrong = losses.get(f"discriminator_{domain}_wrong")
                if wrong is not None:
                    found[domain] |= {"wrong": wrong / undecided, "wrong_loss": wrong}
        return found

    def _check(
        self, diagnostics: dict[str, Diagnostic], name: str, values: dict, found: Warnings
    ) -> Warnings:
        for kind, diagnostic in diagnostics.items():
            key = kind, name
            self._in_a_row[key] = self._in_a_row.get(key, 0) + 1 if diagnostic.holds(values) else 0
            if self._in_a_row[key] >= diagnostic.patience:
                text = diagnostic.text.format(
                    name=name,
                    remedies=self._remedies,
                    collapse_remedies=self._collapse_remedies,
                    **values,
                )
                found.holding.append(text)
                if self._in_a_row[key] == diagnostic.patience:
                    found.new.append(text)
                found = found._replace(is_worse=found.is_worse or kind == WORSE)
        return found


def replay(diagnostics: Diagnostics, records: list[dict]) -> Warnings:
    """Takes all evaluations of a metrics log into account. Returns what the last one gave.

    Args:
      diagnostics: Updated.
      records: What `read_metrics_log` returned of the run.
    """
    last = Warnings([], [], False)
    for record in records:
        if METRICS in record:
            step = record["step"]
            last = diagnostics.update(step, record[METRICS], losses_at(records, step))
    return last
