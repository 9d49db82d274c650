"""The result of a metric: a number, its uncertainty, and a reference to compare it with."""

import dataclasses
from collections.abc import Callable

import numpy as np

_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A number with its context.

    Attributes:
      value: The number.
      count: Number of images behind it.
      low, high: Bootstrap interval of 95 %, if there is one.
      reference: What real images, or chance, would give.
      better: "lower" or "higher"; "" if neither is.
      note: What the reader must know besides.
    """

    value: float
    count: int
    low: float | None = None
    high: float | None = None
    reference: float | None = None
    better: str = "lower"
    note: str = ""


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float], count: int, resamples: int, seed: int = 0
) -> tuple[float | None, float | None]:
    """Percentile bootstrap interval of a statistic (Efron 1979).

    Args:
      statistic: Function that maps the indices of a sample, taken with replacement, to a number.
      count: Number of images.
      resamples: Number of samples; 0 for no interval.
      seed: Of the samples.
    """
    if not resamples:
        return None, None
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, count, count)) for _ in range(resamples)]
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def spread_interval(
    value: float,
    statistic: Callable[[np.ndarray], float],
    count: int,
    resamples: int,
    seed: int = 0,
) -> tuple[float | None, float | None]:
    """An interval around `value` by the standard deviation of the statistic over bootstrap samples.

    For distances between sets: a sample that holds images twice is further from anything, so that
    its percentiles would lie above the value itself. Arguments as for `bootstrap_interval`.
    """
    if not resamples:
        return None, None
    rng = np.random.default_rng(seed)
    deviation = np.std([statistic(rng.integers(0, count, count)) for _ in range(resamples)], ddof=1)
    return float(value - 1.96 * deviation), float(value + 1.96 * deviation)


def mean_of(values: np.ndarray, resamples: int, **attributes) -> Measurement:
    """The mean of one value per image, with its interval."""
    low, high = bootstrap_interval(
        lambda sample: float(values[sample].mean()), len(values), resamples
    )
    return Measurement(float(values.mean()), len(values), low, high, **attributes)
