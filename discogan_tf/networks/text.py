"""The text encoder, and the image encoder that it is trained with (Reed et al. 2016).

Scott Reed et al., "Learning Deep Representations of Fine-grained Visual Descriptions" (arXiv
1605.05395): a convolutional network over characters, then a recurrent one.
"""

import itertools

import keras
import tensorflow as tf

from discogan_tf import text
from discogan_tf.networks.layers import Dense, Linear, PaddedConv

# Each maximum is over so many characters, or features.
_POOL = 3
# Characters behind one step of the recurrent network.
_STRIDE = _POOL * _POOL


class Conv1D(Linear):
    """Convolution over time with SAME padding: [batch, time, c] -> [batch, time, filters].

    Args:
      filters: Number of output channels.
      kernel_size: Of the kernel.
      name: Of the layer.
    """

    def __init__(self, filters: int, kernel_size: int, name: str):
        super().__init__(True, name, keras.initializers.HeNormal())
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, input_shape):
        self._add_weights((self.kernel_size, input_shape[-1], self.filters))

    def call(self, x, training=False):
        return self._add_bias(tf.nn.conv1d(x, self.kernel_for(x, training), 1, "SAME"))


class GRU(keras.layers.Layer):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078): [batch, time, c] -> [.., units].

    With update gate u and reset gate r, of the input x and the state h before:

        u, r = sigmoid(W x + U h + b)
        n = tanh(W' x + b' + r * (U' h))
        h <- u * h + (1 - u) * n

    Args:
      units: Size of the state, which is 0 at first.
      name: Of the layer.
    """

    def __init__(self, units: int, name: str):
        super().__init__(name=name, autocast=False)
        self.units = units
        glorot, orthogonal = keras.initializers.GlorotUniform(), keras.initializers.Orthogonal()
        self.input_gates = Dense(3 * units, True, "input_gates", glorot)
        self.state_gates = Dense(3 * units, False, "state_gates", orthogonal)

    def call(self, x, training=False):
        batch, (time, channels) = tf.shape(x)[0], x.shape[1:]
        # All steps at once.
        inputs = self.input_gates(tf.reshape(x, [-1, channels]))
        inputs = tf.reshape(inputs, [batch, time, 3 * self.units])
        start = tf.zeros([batch, self.units], x.dtype)

        def step(h, inputs):
            (u, r, n), (u_h, r_h, n_h) = (
                tf.split(gates, 3, axis=1) for gates in (inputs, self.state_gates(h))
            )
            update = tf.sigmoid(u + u_h)
            return update * h + (1 - update) * tf.tanh(n + tf.sigmoid(r + r_h) * n_h)

        if training:
            # A loop in the graph: unrolled, the gradients of its weights would be summed all at
            # once, in an order that varies.
            self.state_gates(start)  # Makes the variables outside of the loop.
            states = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), start)
            return tf.transpose(states, [1, 0, 2])
        states = itertools.accumulate(tf.unstack(inputs, axis=1), step, initial=start)
        return tf.stack(list(states)[1:], axis=1)


class TextEncoder(keras.Model):
    """Characters, int32 [batch, 99], to text embeddings, float32 [batch, features].

    Three convolutions over characters, each with a ReLU, the first two with a maximum over three
    steps; a GRU over the 11 steps that are left, whose states are averaged over those that have
    characters; a linear layer. It computes in float32.

    Args:
      name: Of the network.
      features: Size of the embedding and of all layers.
    """

    def __init__(self, name: str = "text_encoder", features: int = 256):
        super().__init__(name=name, autocast=False)
        self.features = features
        self.convs = [Conv1D(features, 4, f"conv_{number}") for number in (1, 2, 3)]
        self.gru = GRU(features, "gru")
        self.to_embedding = Dense(
            features, True, "to_embedding", keras.initializers.GlorotUniform()
        )

    def get_config(self):
        return {"name": self.name, "features": self.features}

    def call(self, characters, training=False):
        # Padding and unknown characters, the first two numbers, are vectors of zeros.
        x = tf.one_hot(characters, text.NUM_CHARACTERS)[:, :, 2:]
        for index, conv in enumerate(self.convs):
            x = tf.nn.relu(conv(x))
            if index < 2:
                x = tf.nn.max_pool1d(x, _POOL, _POOL, "VALID")
        states = self.gru(x, training=training)
        length = tf.reduce_sum(tf.cast(characters != text.PADDING, tf.int32), axis=1)
        steps = tf.maximum(1, (length + _STRIDE - 1) // _STRIDE)
        mask = tf.sequence_mask(steps, states.shape[1], tf.float32)[:, :, tf.newaxis]
        mean = tf.reduce_sum(states * mask, axis=1) / tf.reduce_sum(mask, axis=1)
        return self.to_embedding(mean)


class ImageEncoder(keras.Model):
    """Images [batch, size, size, 3] in [0, 1] to embeddings, float32 [batch, features].

    Strided convolutions down to 2x2 pixels with leaky ReLUs, the mean over pixels, a linear layer.
    Differs from Reed et al., whose image features come from a network trained on ImageNet.

    Args:
      name: Of the network.
      size: Height and width of the images.
      features: Size of the embedding; the convolutions have up to as many channels.
    """

    def __init__(self, name: str = "image_encoder", size: int = 64, features: int = 256):
        super().__init__(name=name, autocast=False)
        self._config = {"size": size, "features": features}
        count = size.bit_length() - 2
        self.convs = [
            PaddedConv(
                max(16, features >> (count - 1 - index)), 4, 2, 1, True, f"conv_{index + 1}",
                initializer=keras.initializers.HeNormal(),
            )
            for index in range(count)
        ]  # fmt: skip
        self.to_embedding = Dense(
            features, True, "to_embedding", keras.initializers.GlorotUniform()
        )

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False):
        x = images
        for conv in self.convs:
            x = tf.nn.leaky_relu(conv(x), 0.2)
        return self.to_embedding(tf.cast(tf.reduce_mean(x, axis=[1, 2]), tf.float32))
