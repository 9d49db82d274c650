"""What goes wrong with such training, noticed while it runs and said in plain words.

Each alarm is a test on the metrics of evaluations and on the losses, and what to tell people. It
sounds after a few evaluations in a row, and again only after it was silent in between.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

# Loss of a discriminator that always says one half, to real and to drawn pictures each.
_UNDECIDED = math.log(2)


class Alarm(NamedTuple):
    """A way to go wrong.

    Attributes:
      sounds: Takes the values of one direction or of one discriminator: is it so?
      patience: Evaluations in a row for which it must be so.
      words: What is told. `{name}` is the direction or the discriminator's domain.
    """

    sounds: Callable[[dict[str, float]], bool]
    patience: int
    words: str


OF_DIRECTIONS = {
    "collapse": Alarm(
        lambda m: m["diversity"] < 0.3,
        2,
        "{name}: translations look all alike (diversity {diversity:.2f} of that of real pictures). Likely "
        "cause: the adversarial loss outweighs the way back. Try a larger --reconstruction_weight, or "
        "--reconstruction_loss=l1, in a new --workdir.",
    ),
    "saturated": Alarm(
        lambda m: m["saturated"] > 0.3,
        2,
        "{name}: translations are mostly pure black or white (a share of values larger by "
        "{saturated:.0%} than in real pictures). Likely cause: too large steps early on. Try a lower "
        "--learning_rate in a new --workdir.",
    ),
    "inverted": Alarm(
        lambda m: min(m["relation_lightness"], m["relation_red"], m["relation_yellow"]) < -0.4,
        2,
        "{name}: colours are inverted (correlation with the input: lightness {relation_lightness:.2f}, "
        "green to red {relation_red:.2f}, blue to yellow {relation_yellow:.2f}). The losses cannot tell a "
        "colour from its opposite if the way back inverts it again. Often it turns by itself in the first "
        "thousands of steps; if it stays, try another --seed in a new --workdir.",
    ),
}

OF_DISCRIMINATORS = {
    "won": Alarm(
        lambda m: m["real"] + m["fake"] < 0.05,
        3,
        "the discriminator of {name} has won (its losses are {real:.3f} on real and {fake:.3f} on drawn "
        "pictures): the translator learns little from it. Try --generator_updates_per_step=2, --flip, "
        "more training pictures, or a lower --learning_rate.",
    ),
    "died": Alarm(
        lambda m: abs(m["real"] - _UNDECIDED) < 0.01 and abs(m["fake"] - _UNDECIDED) < 0.01,
        3,
        "the discriminator of {name} has died: it says one half to everything (its losses are {real:.3f} "
        "and {fake:.3f}; ln 2 is 0.693), so nothing pushes translations to look real. Try a lower "
        "--learning_rate in a new --workdir.",
    ),
}


class Alarms:
    """Looks at one evaluation after the other."""

    def __init__(self):
        self._in_a_row: dict[tuple[str, str], int] = {}

    def look(
        self, measured: dict[str, dict[str, float]], losses: dict[str, float], names: dict
    ) -> list[str]:
        """The words of every alarm that begins to sound.

        Args:
          measured: Name of each direction -> metric -> value, as `Judge` measures them.
          losses: The losses of the same step.
          names: "a", "b" -> the domain's name for people.
        """
        sounding = []
        for name, values in measured.items():
            sounding += self._check(OF_DIRECTIONS, name, values)
        for domain, name in names.items():
            keys = {part: f"discriminator_{domain}_{part}" for part in ("real", "fake")}
            if all(key in losses for key in keys.values()):
                values = {part: losses[key] for part, key in keys.items()}
                sounding += self._check(OF_DISCRIMINATORS, name, values)
        return sounding

    def _check(self, alarms: dict[str, Alarm], name: str, values: dict[str, float]) -> list[str]:
        sounding = []
        for kind, alarm in alarms.items():
            key = kind, name
            self._in_a_row[key] = self._in_a_row.get(key, 0) + 1 if alarm.sounds(values) else 0
            if self._in_a_row[key] == alarm.patience:
                sounding.append(alarm.words.format(name=name, **values))
        return sounding
