"""Adam in one kernel against Keras's own."""

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.training.optimizer import Adam


def _trained(optimizer):
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(np.ones(shape, np.float32), name=f"v{len(shape)}")
        for shape in ((3,), (2, 5))
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


def test_l2_regularization_is_added_to_gradients():
    """As if the loss had half of it times the squares of all weights."""
    variable = keras.Variable(np.full(3, 2.0, np.float32), name="v")
    optimizer, plain = (Adam(1e-2, l2_weight=share) for share in (0.5, 0.0))
    other = keras.Variable(np.full(3, 2.0, np.float32), name="v")
    optimizer.build([variable]), plain.build([other])
    for gradient in (0.25, -0.75):
        optimizer.apply([tf.fill([3], gradient)], [variable])
        plain.apply([tf.fill([3], gradient) + 0.5 * other.value], [other])
    np.testing.assert_allclose(variable.numpy(), other.numpy(), rtol=1e-6)
    assert np.abs(variable.numpy() - 2).max() > 1e-3
