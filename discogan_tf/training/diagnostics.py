"""Warnings about training that goes wrong: mode collapse, saturation, inverted colors, and more.

Each warning is a test on the metrics of evaluations or on the losses, and a text for the user. It
is given after a few evaluations in a row, and again only if it did not hold in between.
"""

from collections.abc import Callable
from typing import NamedTuple

from discogan_tf.losses import AdversarialLoss


class Diagnostic(NamedTuple):
    """A training failure and its warning.

    Attributes:
      holds: Predicate on the metrics of one direction, or on the losses of one discriminator.
      patience: Number of evaluations in a row in which it must hold.
      text: What the user reads. `{name}` is the direction or the discriminator's domain.
    """

    holds: Callable[[dict[str, float]], bool]
    patience: int
    text: str


_CORRELATIONS = ("relation_lightness", "relation_red", "relation_yellow")

OF_DIRECTIONS = {
    "collapse": Diagnostic(
        lambda m: m["diversity"] < 0.3,
        2,
        "{name}: mode collapse, the translations look alike (diversity {diversity:.2f} of that "
        "of real images). Likely cause: the adversarial loss outweighs cycle consistency. Try a "
        "larger --reconstruction_weight, or --reconstruction_loss=l1, in a new --workdir.",
    ),
    "saturated": Diagnostic(
        lambda m: m["saturated"] > 0.3,
        2,
        "{name}: the translations are saturated (pure black or white values exceed those of real "
        "images by {saturated:.0%} of all values). Likely cause: a learning rate that was too high "
        "early on. Try a lower --learning_rate in a new --workdir.",
    ),
    "inverted": Diagnostic(
        lambda m: min((m[key] for key in _CORRELATIONS if key in m), default=0.0) < -0.4,
        2,
        "{name}: colors are inverted (correlation with the input: lightness "
        "{relation_lightness:.2f}, green to red {relation_red:.2f}, blue to yellow "
        "{relation_yellow:.2f}). The losses do not change if one translation inverts colors and "
        "its inverse inverts them again. Often this corrects itself within the first few thousand "
        "steps. If it persists, try another --seed in a new --workdir.",
    ),
}
# `real` and `fake` are the two terms of a discriminator's loss as multiples of what an undecided
# discriminator would have, so that the thresholds hold for every adversarial loss.
OF_DISCRIMINATORS = {
    "won": Diagnostic(
        lambda m: (m["real"] + m["fake"]) / 2 < 0.036,
        3,
        "the discriminator of {name} has won (its loss is {real_loss:.3f} on real images and "
        "{fake_loss:.3f} on translations): the generator learns little from it. Try "
        "--generator_updates_per_step=2, --flip, more training images, or a lower --learning_rate.",
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


class Diagnostics:
    """Checks each evaluation for training failures.

    Args:
      names: Stream -> the domain's display name.
      adversarial_loss: What the discriminators are trained with.
    """

    def __init__(self, names: dict[str, str], adversarial_loss: AdversarialLoss):
        self._names, self._undecided = names, adversarial_loss.undecided
        self._in_a_row: dict[tuple[str, str], int] = {}

    def update(self, measured: dict[str, dict[str, float]], losses: dict[str, float]) -> list[str]:
        """The text of every warning that begins to hold.

        Args:
          measured: Display name of each direction -> metric -> value, as `Evaluator` measures them.
          losses: The losses of the same step.
        """
        texts = []
        for name, values in measured.items():
            texts += self._check(OF_DIRECTIONS, name, values)
        for domain, values in self._discriminators(losses).items():
            texts += self._check(OF_DISCRIMINATORS, self._names.get(domain, domain), values)
        return texts

    def _discriminators(self, losses: dict[str, float]) -> dict[str, dict[str, float]]:
        """Domain of each discriminator -> what the tests of `OF_DISCRIMINATORS` need."""
        found = {}
        for name, real in losses.items():
            domain = name.removeprefix("discriminator_").removesuffix("_real")
            fake = losses.get(f"discriminator_{domain}_fake")
            if name == f"discriminator_{domain}_real" and fake is not None:
                found[domain] = {
                    "real": real / self._undecided,
                    "fake": fake / self._undecided,
                    "real_loss": real,
                    "fake_loss": fake,
                    "undecided": self._undecided,
                }
        return found

    def _check(self, warnings: dict[str, Diagnostic], name: str, values: dict) -> list[str]:
        texts = []
        for kind, warning in warnings.items():
            key = kind, name
            self._in_a_row[key] = self._in_a_row.get(key, 0) + 1 if warning.holds(values) else 0
            if self._in_a_row[key] == warning.patience:
                texts.append(warning.text.format(name=name, **values))
        return texts
