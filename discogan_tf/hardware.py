"""What this machine computes fastest in, and how much at once."""

from pathlib import Path

import tensorflow as tf

# Residual networks of 64 filters hold 1.6 GiB for so many pixels.
_PIXELS_AT_ONCE = 64 * 128**2


def resolve_precision(precision: str) -> str:
    """`precision`, with "auto" resolved: bfloat16 if this machine computes in it, else float32."""
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return "bfloat16" if all(_gpu_has_bfloat16(gpu) for gpu in gpus) else "float32"
    return "bfloat16" if _cpu_has_bfloat16() else "float32"


def resolve_conv_implementation(implementation: str) -> str:
    """`implementation`, but "plain" on GPUs, whose own convolutions do well at every size."""
    return "plain" if tf.config.list_physical_devices("GPU") else implementation


def inference_batch_size(image_size: int) -> int:
    """How many images of that height and width to translate at once: 64, or fewer large ones."""
    return max(1, min(64, _PIXELS_AT_ONCE // image_size**2))


def _gpu_has_bfloat16(gpu) -> bool:
    """Whether it is of compute capability 8.0 (Ampere) or later."""
    details = tf.config.experimental.get_device_details(gpu)
    return details.get("compute_capability", (0, 0)) >= (8, 0)


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 (AVX512-BF16 or AMX). Known on Linux only."""
    try:
        features = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in features or "amx_bf16" in features
