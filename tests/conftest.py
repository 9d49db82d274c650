"""What the tests share: a tiny synthetic data set, and settings that train on it in seconds."""

import contextlib
import fcntl
import hashlib
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.serving_faults import Server
from data_prep.captions.domain import CaptionSource
from data_prep.captions.table import Columns
from data_prep.prepare import prepare_archive, prepare_captioned
from data_prep.sample.archive import draw_archives
from data_prep.sample.captions import draw_captioned
from discogan_tf.config import Config
from discogan_tf.export.bundle import export
from discogan_tf.models import create_model
from discogan_tf.networks.statistics import reestimate_statistics, statistics_function
from discogan_tf.runs.checkpoints import Checkpoints
from discogan_tf.runs.workdir import write_config
from discogan_tf.training.step import create_optimizers
from tests.cyclegan import CYCLEGAN

# Two devices, so that what runs on several replicas can be tested on one processor.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """A folder with the synthetic sample, 14 + 6 pairs of each kind, prepared at 32 pixels."""
    folder = tmp_path_factory.mktemp("data")
    for archive in draw_archives(folder, num_train=14, num_val=6):
        prepare_archive(archive, folder, image_size=32)
    return folder


@pytest.fixture(scope="session")
def captioned_dir(tmp_path_factory) -> Path:
    """A folder with 24 captioned images, the synthetic sample, prepared at 16 and 32 pixels."""
    folder = tmp_path_factory.mktemp("captioned")
    archive = draw_captioned(folder, 12)
    source = CaptionSource(None, None, archive, Columns(), val_share=0.3)
    for size in (16, 32):
        prepare_captioned(source, folder, "sample_captions", size)
    return folder


@pytest.fixture
def tiny_config(data_dir, tmp_path) -> Config:
    """Trains on the tiny sample: 4 steps of 4 images, everything logged and saved often."""
    return Config(
        data_dir=str(data_dir),
        workdir=str(tmp_path / "run"),
        domain_a="sample_edges2handbags/photo",
        domain_b="sample_edges2shoes/photo",
        image_size=32,
        base_filters=4,
        num_steps=4,
        batch_size=4,
        precision="float32",
        # Fewer passes and operations to compile; the contracts test the others.
        identity_weight=0.0,
        conv_implementation="plain",
        flip=True,
        log_every_steps=1,
        sample_every_steps=2,
        save_every_steps=2,
    )


@pytest.fixture(scope="session")
def make_run(data_dir):
    """A function that makes a run without training: folder, steps of its checkpoints -> its config.

    It also takes settings. The networks are small. Weights and statistics are random, so that
    images differ and batch norm does something.
    """

    def make(folder, steps=(7,), **settings):
        config = Config(
            data_dir=str(data_dir), workdir=str(folder), image_size=32,
            precision="float32", ema_decay=0.0, base_filters=8, conv_implementation="plain",
            domain_a="sample_edges2handbags/photo", domain_b="sample_edges2shoes/photo",
            **settings,
        )  # fmt: skip
        network = create_model(config, tf.float32)
        write_config(config)
        checkpoints = Checkpoints(
            folder / "checkpoints", network, create_optimizers(network, config), keep=9
        )
        for step in steps:
            _randomize(network.generators, step)
            checkpoints.save(step)
        return config

    return make


@pytest.fixture(scope="session")
def exported(make_run, tmp_path_factory, worker_id) -> Path:
    """An export of both directions, version 1, made once for all processes of a test run.

    Tests that change it copy it.
    """
    shared = tmp_path_factory.getbasetemp()
    if (
        worker_id != "master"
    ):  # Processes of pytest-xdist have folders of their own beside each other.
        shared = shared.parent
    folder = shared / "shared_export"
    with (shared / "shared_export.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = tmp_path_factory.mktemp("export")
            export(make_run(making / "run"), making / "exported")
            (making / "exported").rename(folder)
    return folder


@pytest.fixture(scope="session")
def serve():
    """A function: export folder and arguments -> a running server; all end with the session."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, *arguments: stack.enter_context(Server(folder, *arguments))


@pytest.fixture(scope="session")
def gradient_descent():
    """A function that makes a model's optimizers: plain gradient descent.

    With a learning rate of 1 it changes weights by their gradient. Adam would hide a gradient of
    the wrong size.
    """

    def create(model):
        optimizers = {}
        for side, networks in (
            ("generator", model.generators),
            ("discriminator", model.discriminators),
        ):
            optimizers[side] = keras.optimizers.SGD(1.0)
            optimizers[side].build([v for n in networks.values() for v in n.trainable_variables])
        return optimizers

    return create


@pytest.fixture(scope="session")
def checkpoint_state():
    """A function: folder of a run, step -> name of each variable -> its digest."""

    def state(workdir, step):
        reader = tf.train.load_checkpoint(str(Path(workdir) / "checkpoints" / f"step-{step}"))
        return {
            name: hashlib.sha256(reader.get_tensor(name)).hexdigest()
            for name in reader.get_variable_to_shape_map()
            if "CHECKPOINTABLE" not in name
        }

    return state


@pytest.fixture(scope="session")
def cyclegan() -> dict:
    """Settings of CycleGAN, with a single residual block."""
    return CYCLEGAN


def _randomize(generators, seed):
    rng = np.random.default_rng(seed)
    for network in generators.values():
        for variable in network.trainable_variables:
            if variable.path.endswith("kernel"):
                variable.assign(
                    rng.normal(0, 1 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape)
                )
            else:
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        images = tf.constant(rng.random((16, 32, 32, 3), np.float32))
        reestimate_statistics(network, statistics_function(network), [(images,)])


@pytest.fixture
def batch() -> dict[str, tf.Tensor]:
    """A batch of noise, four images of 32 pixels of each domain."""
    rng = np.random.default_rng(0)
    return {domain: tf.constant(rng.random((4, 32, 32, 3), np.float32)) for domain in ("a", "b")}
