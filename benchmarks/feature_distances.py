"""Errors of Fréchet and kernel distance against direct computations in float64.

    python -m benchmarks.feature_distances

The direct ones take the covariances' matrix square root by eigenvectors, and the kernel for one
pair of images after another. Features are 2,048 numbers per image, not negative and unevenly
large, as a network's are.
"""

import time

import numpy as np

from discogan_tf.evaluation.features import frechet_distance, kernel_distance

_SIZE = 2048
_COUNTS = (50, 200, 1000, 4000)


def _direct_frechet(one: np.ndarray, other: np.ndarray) -> float:
    covariance_one, covariance_other = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values, vectors = np.linalg.eigh(covariance_one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    between = np.linalg.eigvalsh(root @ covariance_other @ root)
    trace = (
        np.trace(covariance_one)
        + np.trace(covariance_other)
        - 2 * np.sqrt(np.maximum(between, 0)).sum()
    )
    return float(np.square(one.mean(0) - other.mean(0)).sum() + trace)


def _direct_kernel(one: np.ndarray, other: np.ndarray) -> float:
    def mean(x, y, within):
        total = 0.0
        for i, row in enumerate(x):
            values = [(np.dot(row, column) / _SIZE + 1) ** 3 for column in y]
            total += sum(values) - (values[i] if within else 0.0)
        return total / (len(x) * (len(y) - within))

    return mean(one, one, True) + mean(other, other, True) - 2 * mean(one, other, False)


def main() -> None:
    rng = np.random.default_rng(0)
    print(
        f"{'images':>8}  {'distance':>8}  {'value':>12}  {'relative error':>14}  seconds here / "
        "directly"
    )
    for count in _COUNTS:
        scales = rng.lognormal(-1, 1, (2, _SIZE))
        one, other = (np.maximum(rng.normal(0.3, 1, (count, _SIZE)), 0) * scale for scale in scales)
        for name, ours, direct in (
            ("Frechet", frechet_distance, _direct_frechet),
            ("kernel", kernel_distance, _direct_kernel),
        ):
            if name == "kernel" and count > 1000:
                continue  # The direct one takes minutes.
            found, secs = [], []
            for distance in (ours, direct):
                started = time.perf_counter()
                found.append(distance(one, other))
                secs.append(time.perf_counter() - started)
            error = abs(found[0] - found[1]) / abs(found[1])
            print(
                f"{count:8}  {name:>8}  {found[1]:12.6g}  {error:14.1e}  {secs[0]:.2f} / "
                f"{secs[1]:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
