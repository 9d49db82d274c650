from pathlib import Path

import pytest
import tensorflow as tf

from discogan_tf.hardware import (
    inference_batch_size,
    resolve_conv_implementation,
    resolve_precision,
)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("avx2 fma", "float32"),
        ("avx512f avx512_bf16", "bfloat16"),
        ("amx_bf16 amx_tile", "bfloat16"),
    ],
)
def test_auto_follows_the_processor(monkeypatch, features, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(Path, "read_text", lambda path: f"flags\t: {features}")
    assert resolve_precision("auto") == expected


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_auto_follows_the_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert resolve_precision("auto") == expected


def test_a_stated_precision_stays():
    assert resolve_precision("float16") == "float16"


@pytest.mark.parametrize(("gpus", "expected"), [([], "auto"), (["gpu"], "plain")])
def test_gpus_use_their_own_convolutions(monkeypatch, gpus, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    assert resolve_conv_implementation("auto") == expected
    assert resolve_conv_implementation("plain") == "plain"


def test_large_images_are_translated_fewer_at_a_time():
    sizes = (32, 64, 128, 256, 286, 1024, 4096)
    assert [inference_batch_size(size) for size in sizes] == [64, 64, 64, 16, 12, 1, 1]
