import keras
import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.chapter import Discriminator, Generator
from discogan_tf.networks.folding import fold
from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.paper import PaperDiscriminator, PaperGenerator
from tests.contracts.label_gan import LabelGenerator

_SHAPE = (64, 64, 3)


def _inputs(network, count):
    rng = np.random.default_rng(1)
    if isinstance(network, LabelGenerator):
        return rng.normal(size=(count, 6)).astype(np.float32), np.arange(count, dtype=np.int32) % 2
    return (rng.random((count, *_SHAPE), np.float32),)


def _output(network, inputs):
    """Images, or logits."""
    return tf.nest.flatten(network(*inputs))[0].numpy()


@pytest.fixture(
    params=[Generator, Discriminator, PaperGenerator, PaperDiscriminator, LabelGenerator],
    ids=lambda kind: kind.__name__,
)
def network(request):
    """With weights and statistics as training might leave them: none at its initial value."""
    sizes = {} if request.param is LabelGenerator else {"base_filters": 8}
    network = request.param(**sizes)
    network(*_inputs(network, 1))
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
    inputs = _inputs(network, 5)
    expected = _output(network, inputs)
    assert expected.std() > 0.01  # Or anything would agree.
    np.testing.assert_allclose(_output(fold(network), inputs), expected, atol=1e-5)


def test_a_folded_network_has_no_variables_and_leaves_the_original_alone(network):
    before = [variable.numpy() for variable in network.variables]
    folded = fold(network)
    folded(*_inputs(network, 1))
    assert not folded.variables and network.variables
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_nested_layers_are_found_by_their_paths():
    network = LabelGenerator()
    network(*_inputs(network, 1))
    assert {"start", "block_1", "block_1/conv", "block_2/conv_norm"} <= named_layers(network).keys()


def test_folded_convolutions_are_plain():
    """So that exports, and their readers, do not depend on how training computes them."""
    folded = fold(_built(Generator(base_filters=8)))
    graph = tf.function(folded).get_concrete_function(tf.TensorSpec((None, *_SHAPE))).graph
    nodes = {node.type for node in graph.get_operations()}
    assert "Conv2D" in nodes and not nodes & {"MatMul", "EnsureShape"}


def test_a_layer_that_does_not_say_how_it_folds_is_refused():
    class Network(keras.Model):
        def __init__(self, name="network"):
            super().__init__(name=name)
            self.scale = keras.layers.Dense(3, name="foreign")

        def get_config(self):
            return {"name": self.name}

        def call(self, images, training=False):
            return self.scale(images)

    with pytest.raises(TypeError, match="foreign has no method fold"):
        fold(_built(Network()))


def _built(network):
    network(np.zeros((1, *_SHAPE), np.float32))
    return network
