"""Adam in one kernel against Keras's own."""

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.training.adam import Adam


def _trained(optimizer):
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(np.ones(shape, np.float32), name=f"v{len(shape)}") for shape in ((3,), (2, 5))
    ]
    optimizer.build(variables)

    @tf.function
    def step(gradients):
        optimizer.apply(gradients, variables)

    for _ in range(5):
        step([tf.constant(rng.normal(size=variable.shape), tf.float32) for variable in variables])
    return {variable.path: variable.numpy() for variable in (*variables, *optimizer.variables)}


def test_updates_and_slots_are_those_of_keras():
    expected = _trained(keras.optimizers.Adam(1e-2, beta_1=0.5, name="adam"))
    found = _trained(Adam(1e-2, beta_1=0.5, name="adam"))
    assert found.keys() == expected.keys() and len(found) == 8
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-6, atol=1e-7, err_msg=name)
    assert np.abs(found["v1"] - 1).max() > 1e-2
