"""Upper bounds of the speed on GPUs from the counted work of a step. Nothing is measured on one.

    python -m benchmarks.on_paper --batch_size=64

Counts, for one step of the paper's objective with batch norm, in bfloat16: arithmetic operations;
the bytes that TensorFlow's operations read and write, if none are fused; the number of operations;
and what replicas sum. Divides by the numbers of a data sheet and by named guesses. The largest of
the three times is the least that a step can take; XLA fuses operations and so saves bytes and
launches.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from benchmarks.training_step import nominal_gflop_per_pair, random_batch
from discogan_tf.config import Config
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.models import create_model
from discogan_tf.training.schedules import step_policies
from discogan_tf.training.step import create_optimizers, create_step

# NVIDIA's data sheet of the H100 SXM: bfloat16 without sparsity, memory, and NVLink one way.
_FLOPS, _MEMORY, _NVLINK = 989e12, 3.35e12, 450e9
# A network card of 400 Gbit/s for each card.
_NETWORK = 50e9
# Guesses: time between the starts of two small operations; for a sum of few numbers within a
# machine, and over the network.
_LAUNCH, _SUM_NEAR, _SUM_FAR = 4e-6, 20e-6, 60e-6
# Operations that only name or reshape tensors.
_FREE = {
    "Const",
    "ExpandDims",
    "Identity",
    "IdentityN",
    "Placeholder",
    "ReadVariableOp",
    "Reshape",
    "Squeeze",
    "PartitionedCall",
    "StatefulPartitionedCall",
}


def count(batch_size: int) -> dict[str, float]:
    """Work of a step: "flop", "bytes", "launches", "numbers" (gradients), "sums" (batch norm)."""
    config = Config(
        precision="bfloat16",
        batch_size=batch_size,
        conv_implementation="plain",
        **PAPER_SETTINGS,
    )
    model = create_model(config, tf.bfloat16)
    policies = step_policies(config, model)
    optimizers = create_optimizers(model, config)
    step = create_step(model, optimizers, tf.distribute.get_strategy(), **policies)
    batch = {key: tf.constant(images) for key, images in random_batch(batch_size).items()}
    operations = [
        operation
        for operation in step.get_concrete_function((batch,)).graph.get_operations()
        if operation.type == "ResourceApplyAdam"
        or (
            operation.type not in _FREE
            and any(t.shape.rank and t.dtype.is_floating for t in operation.outputs)
        )
    ]
    norms = sum(
        operation.type in ("FusedBatchNormV3", "FusedBatchNormGradV3") for operation in operations
    )
    networks = (*model.generators.values(), *model.discriminators.values())
    return {
        "flop": nominal_gflop_per_pair(model, config) * 1e9 * batch_size,
        "bytes": sum(_bytes(operation) for operation in operations),
        "launches": len(operations),
        "numbers": sum(network.count_params() for network in networks),
        "sums": norms,
    }


def _bytes(operation) -> int:
    tensors = [*operation.inputs, *operation.outputs]
    if operation.type == "ResourceApplyAdam":
        # Weight and both slots are read and written, the gradient is read.
        return 7 * operation.inputs[-1].shape.num_elements() * 4
    return sum(
        tensor.shape.num_elements() * tensor.dtype.size
        for tensor in tensors
        if tensor.dtype.is_floating and tensor.shape.is_fully_defined()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, default=64, help="of one card")
    batch_size = parser.parse_args().batch_size
    work = count(batch_size)
    times = {
        "arithmetic": work["flop"] / _FLOPS,
        "memory": work["bytes"] / _MEMORY,
        "launches": work["launches"] * _LAUNCH,
    }
    alone = max(times.values())
    print(f"| a step of {batch_size} pairs, bfloat16 | counted | ms on an H100 |\n|---|---|---|")
    print(f"| arithmetic | {work['flop'] / 1e12:.2f} TFLOP | {times['arithmetic'] * 1e3:.2f} |")
    print(f"| memory, nothing fused | {work['bytes'] / 1e9:.1f} GB | {times['memory'] * 1e3:.2f} |")
    print(f"| launches, nothing fused | {work['launches']:,} | {times['launches'] * 1e3:.2f} |")
    print(f"| one card | | {alone * 1e3:.1f}: {batch_size / alone:,.0f} pairs/s at most |")
    gradient = work["numbers"] * 4
    for cards, rate, latency in ((8, _NVLINK, _SUM_NEAR), (64, _NETWORK, _SUM_FAR)):
        # In a ring, 2 (n - 1) / n of what is summed passes through each card.
        secs = 2 * (cards - 1) / cards * gradient / rate + work["sums"] * latency
        share, whole = secs / (alone + secs), alone + secs
        print(
            f"| {cards} cards | {gradient / 1e6:.0f} MB of gradients, {work['sums']} sums of batch "
            f"norm | {whole * 1e3:.1f}: {cards * batch_size / whole:,.0f} pairs/s, {share:.0%} "
            "communication |"
        )


if __name__ == "__main__":
    main()
