"""Small fully connected networks for points of the plane, to try on them what pictures hide."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import Dense

_UNITS = (128, 128, 128)


class PointGenerator(keras.Model):
    """Points, float32 [batch, 2], to points: three layers of 128 units with ReLU."""

    def __init__(self, name: str = "generator"):
        super().__init__(name=name, autocast=False)
        self.hidden = _hidden()
        self.to_point = _dense(2, "to_point")

    def call(self, points, training=False):
        x = points
        for layer in self.hidden:
            x = tf.nn.relu(layer(x))
        return self.to_point(x)


class PointDiscriminator(keras.Model):
    """Points, float32 [batch, 2], to logits [batch] and the features of all layers, [batch, 128] each."""

    def __init__(self, name: str = "discriminator"):
        super().__init__(name=name, autocast=False)
        self.hidden = _hidden()
        self.to_logit = _dense(1, "to_logit")

    def call(self, points, training=False):
        x, features = points, []
        for layer in self.hidden:
            x = tf.nn.leaky_relu(layer(x), 0.2)
            features.append(x)
        return tf.squeeze(self.to_logit(x), axis=1), features


def _hidden() -> list[Dense]:
    return [_dense(units, f"hidden_{number + 1}") for number, units in enumerate(_UNITS)]


def _dense(units: int, name: str) -> Dense:
    """Without batch norm, weights must be as large as keeps signals alive (He et al. 2015)."""
    return Dense(units, use_bias=True, name=name, initializer=keras.initializers.HeNormal())
