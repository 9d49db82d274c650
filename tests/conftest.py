"""What the tests share: a tiny drawn data set, and settings that train on it in seconds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_prep.prepare import prepare_archive
from data_prep.sample.archive import draw_archives
from discogan_tf.config import Config

# Two devices, so that what runs on several replicas can be tested on one processor.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """A folder with the embedded sample, 14 + 6 pairs of each kind, prepared at 32 pixels."""
    folder = tmp_path_factory.mktemp("data")
    for archive in draw_archives(folder, num_train=14, num_val=6):
        prepare_archive(archive, folder, image_size=32)
    return folder


@pytest.fixture
def tiny_config(data_dir, tmp_path) -> Config:
    """Trains on the tiny sample: 4 steps of 4 pictures, everything logged and saved at each."""
    return Config(
        data_dir=str(data_dir),
        workdir=str(tmp_path / "run"),
        domain_a="sample_edges2handbags/photo",
        domain_b="sample_edges2shoes/photo",
        image_size=32,
        num_steps=4,
        batch_size=4,
        precision="float32",
        flip=True,
        log_every_steps=1,
        sample_every_steps=2,
        save_every_steps=2,
    )


@pytest.fixture
def batch() -> dict[str, tf.Tensor]:
    """A batch of noise, four pictures of 32 pixels of each domain."""
    rng = np.random.default_rng(0)
    return {domain: tf.constant(rng.random((4, 32, 32, 3), np.float32)) for domain in ("a", "b")}
