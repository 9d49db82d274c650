"""A run that was stopped and resumed equals, bit for bit, the run that was not."""

import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from data_prep.prepare import prepare_archive
from data_prep.sample.archive import draw_archives
from discogan_tf import images as pixels
from discogan_tf.data.distributed import DistributedInput
from discogan_tf.flagfile import to_flagfile
from discogan_tf.models import create_model
from discogan_tf.runs.reproducibility import reproducibility_warnings
from discogan_tf.training import distribution
from discogan_tf.training.ema import ExponentialMovingAverage
from discogan_tf.training.loop import train
from discogan_tf.training.schedules import step_policies, update_schedule
from discogan_tf.training.step import create_optimizers, create_step
from discogan_tf.training.train_loop import create_train_loop

# Those of captioned images are tested in tests/models.
_IMAGE_MODELS = ("discogan", "recon_gan", "gan")


@pytest.fixture(scope="module")
def unequal_data_dir(tmp_path_factory):
    """Handbags and shoes of unequal number, both few: every run passes several epochs."""
    folder = tmp_path_factory.mktemp("unequal")
    for number, count in enumerate((7, 5)):
        sample = tmp_path_factory.mktemp("sample")
        archive = draw_archives(sample, count, num_val=4)[number]
        for size in (32, 36):  # The larger one for random crops.
            prepare_archive(archive, folder, image_size=size)
    return folder


@pytest.fixture
def config(tiny_config, unequal_data_dir, tmp_path):
    return dataclasses.replace(
        tiny_config,
        data_dir=str(unequal_data_dir),
        workdir=str(tmp_path / "straight"),
        batch_size=2,
        save_every_steps=1,
        sample_every_steps=2,
        evaluate_every_steps=2,
        keep_checkpoints=100,
        ema_decay=0.9,
    )


def _read_metrics_log(workdir):
    return [json.loads(line) for line in (Path(workdir) / "metrics.jsonl").read_text().splitlines()]


def _stopped_after(straight, step, folder):
    """A copy of a run as it was after it saved a step and before it evaluated it.

    Checkpoints are large, so they are linked.
    """

    def later(_, names):
        numbers = {name: name.partition(".")[0].removeprefix("step-") for name in names}
        return [
            name for name, number in numbers.items() if number.isdecimal() and int(number) > step
        ]

    def copy(source, target):
        (os.link if "checkpoints" in Path(source).parts else shutil.copy2)(source, target)

    shutil.copytree(straight, folder, ignore=later, copy_function=copy)
    lines = [
        line for line in _read_metrics_log(folder) if line["step"] < step or "metrics" not in line
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


# Within one process, TensorFlow takes the second mirrored strategy's sums for the first one's.
_TRAIN_ON_TWO_REPLICAS = """
import sys
import tensorflow as tf
from discogan_tf.flagfile import from_flagfile
from discogan_tf.training.loop import train
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
train(from_flagfile(sys.argv[1]))
"""


def _train(config):
    if config.distribute == "none":
        train(config)
    else:
        command = [sys.executable, "-c", _TRAIN_ON_TWO_REPLICAS, to_flagfile(config)]
        subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True)


def _assert_resumes_exactly_everywhere(config, tmp_path, steps, state_of):
    _train(config)
    lines = _read_metrics_log(config.workdir)
    for first in steps:
        workdir = _stopped_after(config.workdir, first, tmp_path / f"after_{first}")
        _train(dataclasses.replace(config, workdir=str(workdir)))
        for step in range(first, config.num_steps + 1, config.save_every_steps):
            expected, found = state_of(config.workdir, step), state_of(workdir, step)
            assert len(expected) > 100 and found == expected, f"from {first}, at {step}"
        assert _read_metrics_log(workdir) == lines
        shutil.rmtree(workdir)


def test_the_rest_is_the_same_bit_for_bit(config, tmp_path, checkpoint_state, capsys, monkeypatch):
    monkeypatch.setattr("discogan_tf.runs.provenance._git_commit", lambda: "one")
    config = dataclasses.replace(config, num_steps=3)
    _assert_resumes_exactly_everywhere(config, tmp_path, [2], checkpoint_state)
    assert "It continues bit for bit as an uninterrupted run would." in capsys.readouterr().out


# As the paper's authors train, with the end of their early rate within the run.
_AUTHORS = {
    "generator_updates_per_step": 2,
    "separate_discriminator_batch": True,
    "feature_matching_weight": 0.9,
    "adversarial_weight": 0.1,
    "reconstruction_rate": 0.5,
    "early_steps": 2,
    "weight_decay": 1e-3,
}


@pytest.mark.slow
def test_the_same_in_bfloat16_with_the_authors_settings(config, tmp_path, checkpoint_state):
    config = dataclasses.replace(config, num_steps=3, precision="bfloat16", **_AUTHORS)
    _assert_resumes_exactly_everywhere(config, tmp_path, [1], checkpoint_state)


@pytest.mark.slow
def test_the_same_in_bfloat16_with_cyclegans_settings(config, cyclegan, tmp_path, checkpoint_state):
    """Stopped when its replay buffers are full, and with crops and flips."""
    settings = cyclegan | {"replay_images": 4, "load_size": 36, "identity_weight": 10.0}
    config = dataclasses.replace(
        config, num_steps=4, sample_every_steps=9, evaluate_every_steps=9,
        learning_rate_decay_steps=2, precision="bfloat16", **settings,
    )  # fmt: skip
    _assert_resumes_exactly_everywhere(config, tmp_path, [3], checkpoint_state)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "precision", "updates", "distribute"),
    [
        *itertools.product(["discogan"], ("float32", "bfloat16"), (1, 2), ("none", "mirrored")),
        *(
            (model, *kind)
            for model in _IMAGE_MODELS
            for kind in (("float32", 1, "none"), ("bfloat16", 2, "mirrored"))
            if model != "discogan"
        ),
    ],
)
def test_longer_and_for_every_model(
    config, tmp_path, checkpoint_state, model, precision, updates, distribute
):
    config = dataclasses.replace(
        config, model=model, precision=precision, generator_updates_per_step=updates, num_steps=12,
        distribute=distribute, batch_size=4, evaluate_every_steps=6, save_every_steps=3,
    )  # fmt: skip
    _assert_resumes_exactly_everywhere(config, tmp_path, (0, 6), checkpoint_state)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot choose cores here")
def test_threads_decide_and_not_cores(config, tmp_path, checkpoint_state):
    """One core with two threads gives the bits of two cores; one thread gives others."""
    states = {}
    for cores, threads in itertools.product((1, 2), repeat=2):
        workdir = tmp_path / f"{cores}_{threads}"
        flags = dataclasses.asdict(
            dataclasses.replace(config, workdir=str(workdir), num_threads=threads)
        )
        command = [
            sys.executable,
            "train.py",
            *(f"--{name}={value}" for name, value in flags.items()),
        ]
        allowed = sorted(os.sched_getaffinity(0))[:cores]
        subprocess.run(
            command, cwd=Path(__file__).parents[2], check=True, capture_output=True,
            preexec_fn=lambda allowed=allowed: os.sched_setaffinity(0, allowed),
        )  # fmt: skip
        states[cores, threads] = checkpoint_state(workdir, config.num_steps)
    assert states[1, 1] == states[2, 1] and states[1, 2] == states[2, 2] != states[1, 1]


def _start(**machine):
    return {
        "git_commit": "one",
        "packages": {"tensorflow": "2.21.0"},
        "data": {"bags": {"train": "7c"}},
        "machine": {"threads": 2, "gpus": []} | machine,
        "config": {"deterministic": False, "xla": False},
    }


def test_what_last_bits_depend_on_is_compared():
    assert reproducibility_warnings(_start(), _start()) == []
    assert reproducibility_warnings(None, _start()) == ["its earlier starts are not recorded"]
    (words,) = reproducibility_warnings(_start(threads=8), _start())
    assert words == "the number of threads (--num_threads) changed from 8 to 2"
    (words,) = reproducibility_warnings(_start() | {"data": {}}, _start())
    assert words == "the images changed"
    assert len(reproducibility_warnings(_start(gpus=["one"]), _start(gpus=["one"]))) == 1
    (words,) = reproducibility_warnings(
        _start(), _start() | {"config": {"deterministic": False, "xla": True}}
    )
    assert words == "--xla changed from False to True"
    exact = {"config": {"deterministic": True}}
    assert (
        reproducibility_warnings(_start(gpus=["one"]) | exact, _start(gpus=["one"]) | exact) == []
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "bfloat16", "identity_weight": 1.0, "shape_weight": 1.0},
        {"precision": "float32"} | _AUTHORS,
        *({"model": model, "precision": "float32"} for model in _IMAGE_MODELS),
        {"precision": "float32", "distribute": "mirrored"},
    ],
)
def test_no_sum_depends_on_which_term_is_ready_first(config, batch, tmp_path, settings):
    """TensorFlow adds three terms and more in the order in which their memory is free."""
    config = dataclasses.replace(config, **{"generator_updates_per_step": 2} | settings)
    strategy = distribution.create_strategy(config)
    with strategy.scope():
        network = create_model(config, tf.as_dtype(config.precision))
        optimizers = create_optimizers(network, config)
        ema = ExponentialMovingAverage(network, create_model(config, tf.float32), 0.9)
    images = {key: pixels.to_uint8(value) for key, value in batch.items()}
    on_devices = dataclasses.replace(config, device_cache_bytes=1 << 20)
    source = DistributedInput(strategy, on_devices, images, len(update_schedule(config)))
    policies = step_policies(config, network)
    step = create_step(network, optimizers, strategy, **policies, make_batches=source.make_batches)
    train_loop = create_train_loop(step, strategy, ema)
    nodes = _nodes_as_run(lambda: train_loop(source.elements(), 1, 2), tmp_path)
    assert len(nodes) > 1000
    assert [node.name for node in nodes if node.op == "AddN" and _number_of_terms(node) > 2] == []


def test_such_a_sum_would_be_detected(tmp_path):
    added_up = tf.function(lambda x: tf.add_n([x, x * 2.0, x * 3.0]))
    nodes = _nodes_as_run(lambda: added_up(tf.constant(1.0)), tmp_path)
    assert [_number_of_terms(node) for node in nodes if node.op == "AddN"] == [3]


def _nodes_as_run(function, folder):
    """The operations of the functions called in `function`, after TensorFlow's optimizations."""
    tf.summary.trace_on(graph=True)
    function()
    with tf.summary.create_file_writer(str(folder)).as_default():
        tf.summary.trace_export("trace", step=0)
    (path,) = folder.glob("*tfevents*")
    values = [
        v for event in tf.compat.v1.train.summary_iterator(str(path)) for v in event.summary.value
    ]
    (traced,) = [value.tensor.string_val[0] for value in values if value.tensor.string_val]
    functions = tf.compat.v1.RunMetadata.FromString(traced).function_graphs
    return [node for graph in functions for node in graph.post_optimization_graph.node]


def _number_of_terms(node):
    return sum(not name.startswith("^") for name in node.input)
