import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.chapter import Discriminator, Generator
from discogan_tf.networks.folding import fold
from discogan_tf.networks.paper import PaperDiscriminator, PaperGenerator

_SHAPE = (64, 64, 3)


def _output(network, images):
    """An image, or a logit."""
    return tf.nest.flatten(network(images))[0].numpy()


@pytest.fixture(params=[Generator, Discriminator, PaperGenerator, PaperDiscriminator])
def network(request):
    """With weights and statistics as training might leave them: nothing at its first value."""
    network = request.param()
    network(tf.zeros((1, *_SHAPE)))
    rng = np.random.default_rng(0)
    for variable in network.variables:
        if variable.path.endswith("kernel"):
            fan_in = np.prod(variable.shape[:-1])
            variable.assign(rng.normal(0, 1 / np.sqrt(fan_in), variable.shape))
        else:
            low, high = (0.5, 2.0) if variable.path.endswith(("scale", "variance")) else (-0.5, 0.5)
            variable.assign(rng.uniform(low, high, variable.shape))
    return network


def test_a_folded_network_computes_the_same(network):
    images = np.random.default_rng(1).random((5, *_SHAPE), np.float32)
    expected = _output(network, images)
    assert expected.std() > 0.01  # Or anything would agree.
    np.testing.assert_allclose(_output(fold(network), images), expected, atol=1e-5)


def test_a_folded_network_has_no_variables_and_leaves_the_original_alone(network):
    before = [variable.numpy() for variable in network.variables]
    folded = fold(network)
    folded(np.zeros((1, *_SHAPE), np.float32))
    assert not folded.variables and network.variables
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
