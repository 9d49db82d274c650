import dataclasses

import numpy as np
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.training.ema import ExponentialMovingAverage
from discogan_tf.training.loop import train


def _weights(model):
    return [v.numpy() for network in model.generators.values() for v in network.trainable_variables]


def test_averages_follow_the_equation():
    config = Config(image_size=32)
    model, ema_model = create_model(config, "float32"), create_model(config, "float32")
    ema = ExponentialMovingAverage(model, ema_model, decay=0.6)
    expected = _weights(model)
    rng = np.random.default_rng(0)
    for step in range(1, 12):
        for network in model.generators.values():
            for variable in network.trainable_variables:
                variable.assign(rng.normal(size=variable.shape))
        ema.update(tf.constant(step, tf.int64))
        decay = min(0.6, (1 + step) / (10 + step))
        expected = [
            decay * e + (1 - decay) * w for e, w in zip(expected, _weights(model), strict=True)
        ]
    for average, value in zip(_weights(ema_model), expected, strict=True):
        np.testing.assert_allclose(average, value, atol=1e-5)


def test_averages_are_saved_and_shown(tiny_config, tmp_path):
    config = dataclasses.replace(
        tiny_config, model="gan", ema_decay=0.9, learning_rate=1e-2, num_steps=2
    )
    train(config)
    reader = tf.train.load_checkpoint(str(tmp_path / "run" / "checkpoints" / "step-2"))
    names = [
        name for name in reader.get_variable_to_shape_map() if "a_to_b.Sto_image.Sbias" in name
    ]
    # Group within the checkpoint -> the last bias, which started at -2.
    saved = {name.split("/")[0]: reader.get_tensor(name) for name in names}
    assert np.abs(saved["ema"] - saved["generators"]).max() > 1e-4
    translator = create_model(config, tf.float32)
    assert restore_generators(tmp_path / "run", translator) == 2
    np.testing.assert_array_equal(translator.generators["a_to_b"].to_image.bias, saved["ema"])
