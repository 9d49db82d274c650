"""Small fully connected networks for points in the plane, for the paper's toy experiment."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import Dense


class PointGenerator(keras.Model):
    """Points, float32 [batch, 2], to points, by fully connected layers with ReLU.

    Args:
      name: Of the network.
      units: Size of each hidden layer.
    """

    def __init__(self, name: str = "generator", units: tuple[int, ...] = (128, 128, 128)):
        super().__init__(name=name, autocast=False)
        self.hidden = _hidden_layers(units)
        self.to_point = _dense(2, "to_point")

    def call(self, points, training=False, update_statistics=False):
        x = points
        for layer in self.hidden:
            x = tf.nn.relu(layer(x))
        return self.to_point(x)


class PointDiscriminator(keras.Model):
    """Points, float32 [batch, 2], to logits [batch] and the features of all layers, [batch, units].

    Args:
      name, units: As for `PointGenerator`.
    """

    def __init__(self, name: str = "discriminator", units: tuple[int, ...] = (128, 128, 128)):
        super().__init__(name=name, autocast=False)
        self.hidden = _hidden_layers(units)
        self.to_logit = _dense(1, "to_logit")

    def call(self, points, training=False):
        x, features = points, []
        for layer in self.hidden:
            x = tf.nn.leaky_relu(layer(x), 0.2)
            features.append(x)
        return tf.squeeze(self.to_logit(x), axis=1), features


def _hidden_layers(units: tuple[int, ...]) -> list[Dense]:
    return [_dense(count, f"hidden_{number}") for number, count in enumerate(units, 1)]


def _dense(units: int, name: str) -> Dense:
    """Without batch norm, initial weights must preserve the signal's variance (He et al. 2015)."""
    return Dense(units, use_bias=True, name=name, initializer=keras.initializers.HeNormal())
