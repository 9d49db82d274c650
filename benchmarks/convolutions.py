"""The convolutions of the chapter's networks one by one: `ops.conv2d_auto` against `ops.conv2d`.

    python -m benchmarks.convolutions --precision=bfloat16 --batch_size=64

Milliseconds of the result, of the gradient with respect to the input and of that with respect to
the kernel, as many at a time as in training. The rate is the nominal one, as a share of that of
large matrix products: it may be above 1, because multiplications with padding count, though some
are skipped.
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.training_step import products, seconds
from discogan_tf.config import Config
from discogan_tf.networks import ops
from discogan_tf.runs import reproducibility

# Pixels along a side of the input, its features, features of the result, stride; at 64 pixels.
_LAYERS = {
    "first": (64, 3, 32, 2), "down to 16": (32, 32, 64, 2), "down to 8": (16, 64, 128, 2),
    "down to 4": (8, 128, 256, 2), "down to 2": (4, 256, 512, 2), "of 4": (4, 256, 512, 1),
    "of 8": (8, 128, 256, 1), "of 16": (16, 64, 128, 1), "of 32": (32, 32, 64, 1),
    "to colors": (64, 16, 3, 1),
}  # fmt: skip
_ROUNDS = 9


def _convolution(name: str, stride: int, implementation: str):
    """As the networks call it: the one to colors follows `depth_to_space`."""
    conv2d = ops.CONV2D[implementation]
    if name == "to colors":
        return lambda x, kernel: conv2d(tf.nn.depth_to_space(x, 2), kernel, 1)
    return lambda x, kernel: conv2d(x, kernel, stride)


def _passes(convolution) -> dict:
    """Name -> a function of input, kernel and upstream gradient."""

    def gradient(index):
        def compute(*arrays):
            with tf.GradientTape() as tape:
                tape.watch(arrays[index])
                y = convolution(*arrays[:2])
            return tape.gradient(y, arrays[index], arrays[2])

        return compute

    return {
        "forward": lambda x, kernel, _: convolution(x, kernel),
        "input gradient": gradient(0),
        "kernel gradient": gradient(1),
    }


def _random(precision: str, *shape) -> tf.Tensor:
    return tf.cast(np.random.default_rng(0).standard_normal(shape, np.float32), precision)


def _arrays(name: str, batch_size: int, precision: str):
    size, inputs, filters, stride = _LAYERS[name]
    x = _random(precision, batch_size, size, size, inputs)
    if name == "to colors":
        x = tf.nn.space_to_depth(x, 2)
    upstream = _random(precision, batch_size, size // stride, size // stride, filters)
    return x, _random(precision, 4, 4, inputs, filters), upstream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--batch_size", type=int, default=64)
    values = parser.parse_args()
    reproducibility.enforce(Config(precision=values.precision))
    at_a_time = max(1, reproducibility.cores() // reproducibility.threads())
    multiply, product_gflop = products(values.precision)
    rate = product_gflop / min(seconds(multiply) for _ in range(_ROUNDS))
    print(f"Products of large matrices: {rate:.0f} GFLOP/s; {at_a_time} operations at a time.")
    print("Milliseconds, and in brackets the share of that rate:\n")
    print("| convolution | pass | auto | plain |\n|---|---|---|---|")
    for name, (size, inputs, filters, stride) in _LAYERS.items():
        arrays = [_arrays(name, values.batch_size, values.precision) for _ in range(at_a_time)]
        kinds = [_passes(_convolution(name, stride, kind)) for kind in ("auto", "plain")]
        gflop = (
            2 * 16 * inputs * filters * (size // stride) ** 2 * values.batch_size * at_a_time / 1e9
        )
        for which in kinds[0]:
            times = _interleaved([kind[which] for kind in kinds], arrays)
            cells = (f"{time * 1e3:.1f} ({gflop / time / rate:.2f})" for time in times)
            print(
                f"| {name}: {size}x{size}x{inputs} to {filters} | {which} | {' | '.join(cells)} |",
                flush=True,
            )


def _interleaved(functions, arrays) -> list[float]:
    """Median seconds of each, interleaved, on all arrays at once."""
    compiled = [
        tf.function(lambda arrays, function=function: [function(*one) for one in arrays])
        for function in functions
    ]
    times = [[] for _ in functions]
    for turn in range(_ROUNDS + 2):
        for function, measured in zip(compiled, times, strict=True):
            # Of the shapes alone: the results themselves would be copied.
            took = seconds(lambda function=function: [tf.shape(y) for y in function(arrays)])
            if turn >= 2:
                measured.append(took)
    return [statistics.median(measured) for measured in times]


if __name__ == "__main__":
    main()
