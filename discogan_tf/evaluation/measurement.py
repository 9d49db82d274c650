"""What a metric gives: a number, how sure it is, and what to hold it against."""

import dataclasses
from collections.abc import Callable

import numpy as np

_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A number with its circumstances.

    Attributes:
      value: The number.
      count: How many pictures are behind it.
      low, high: A bootstrap interval of 95 %, where there is one.
      floor: What real pictures, or chance, would give: the number means something beside it.
      better: "lower" or "higher"; "" where neither is.
      note: What the reader must know besides.
    """

    value: float
    count: int
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    better: str = "lower"
    note: str = ""


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float], count: int, resamples: int, seed: int = 0
) -> tuple[float | None, float | None]:
    """Percentiles of a statistic over samples drawn with replacement (Efron 1979).

    Args:
      statistic: Takes indices of the pictures drawn.
      count: Number of pictures.
      resamples: How many samples to draw; 0 for no interval.
    """
    if not resamples:
        return None, None
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, count, count)) for _ in range(resamples)]
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def spread_interval(
    value: float, statistic: Callable[[np.ndarray], float], count: int, resamples: int, seed: int = 0
) -> tuple[float | None, float | None]:
    """An interval around `value` as wide as the statistic spreads over samples drawn with replacement.

    For distances between sets: a sample that holds pictures twice is further from anything, so that
    their percentiles would lie above the value itself.
    """
    if not resamples:
        return None, None
    rng = np.random.default_rng(seed)
    deviation = np.std([statistic(rng.integers(0, count, count)) for _ in range(resamples)], ddof=1)
    return float(value - 1.96 * deviation), float(value + 1.96 * deviation)


def mean_of(values: np.ndarray, resamples: int, **attributes) -> Measurement:
    """The mean of one value per picture, with its interval."""
    low, high = bootstrap_interval(lambda drawn: float(values[drawn].mean()), len(values), resamples)
    return Measurement(float(values.mean()), len(values), low, high, **attributes)
