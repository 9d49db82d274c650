import dataclasses
from pathlib import Path

import numpy as np
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
    config = dataclasses.replace(
        tiny_config, ema_decay=0.9, flip=False, learning_rate=1e-2, generator_updates_per_step=1
    )
    train(config)
    halves = dataclasses.replace(config, workdir=str(tmp_path / "halves"))
    for num_steps in (2, 4):
        train(dataclasses.replace(halves, num_steps=num_steps))

    def biases(run):
        """Group within the last checkpoint -> the last bias, which started at -2."""
        reader = tf.train.load_checkpoint(str(Path(run.workdir) / "checkpoints" / "step-4"))
        names = [name for name in reader.get_variable_to_shape_map() if "a_to_b.Sto_image.Sbias" in name]
        return {name.split("/")[0]: reader.get_tensor(name) for name in names}

    straight, resumed = biases(config), biases(halves)
    moved = np.abs(straight["averages"] + 2).max()
    assert np.abs(straight["averages"] - straight["generators"]).max() > 0.1 * moved > 1e-4
    # To rounding. Averages thrown away on resuming would start from the weights, some `moved` away.
    np.testing.assert_allclose(straight["averages"], resumed["averages"], atol=0.02 * moved)
    translator = create_model(config, tf.float32)
    assert restore_generators(tmp_path / "run", translator) == 4
    np.testing.assert_array_equal(translator.generators["a_to_b"].to_image.bias, straight["averages"])
