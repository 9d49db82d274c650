import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.checkpoints import restore_generators
from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.training.averages import WeightAverages
from discogan_tf.training.loop import train


def _weights(model):
    return [v.numpy() for network in model.generators.values() for v in network.trainable_variables]


def test_averages_follow_the_equation():
    config = Config(image_size=32)
    model, averaged = create_model(config, "float32"), create_model(config, "float32")
    averages = WeightAverages(model, averaged, decay=0.6)
    expected = _weights(model)
    rng = np.random.default_rng(0)
    for step in range(1, 12):
        for network in model.generators.values():
            for variable in network.trainable_variables:
                variable.assign(rng.normal(size=variable.shape))
        averages.update(step)
        decay = min(0.6, (1 + step) / (10 + step))
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, _weights(model), strict=True)]
    for average, value in zip(_weights(averaged), expected, strict=True):
        np.testing.assert_allclose(average, value, atol=1e-5)


def test_averages_are_saved_shown_and_resumed(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, ema_decay=0.9, flip=False)
    train(config)
    halves = dataclasses.replace(config, workdir=str(tmp_path / "halves"))
    for num_steps in (2, 4):
        train(dataclasses.replace(halves, num_steps=num_steps))
    translators = []
    for run in (config, halves):
        translators.append(create_model(run, tf.float32))
        assert restore_generators(tmp_path / run.workdir, translators[-1]) == 4
    for ours, theirs in zip(*map(_weights, translators), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    # Not those of the last step: these are in the checkpoint too, under another name.
    reader = tf.train.load_checkpoint(str(tmp_path / "run" / "checkpoints" / "step-4"))
    names = [name for name in reader.get_variable_to_shape_map() if "a_to_b.Sto_image.Sbias" in name]
    groups = {name.split("/")[0]: reader.get_tensor(name) for name in names}
    assert not np.allclose(groups["generators"], groups["averages"], atol=1e-7)


@pytest.mark.parametrize("which", ["best", "best_handbags2shoes", "last", "4"])
def test_checkpoints_by_name(tiny_config, which, tmp_path):
    config = dataclasses.replace(tiny_config, evaluate_every_steps=2)
    train(config)
    assert restore_generators(tmp_path / "run", create_model(config, tf.float32), which) in (2, 4)
