"""Adam (Kingma and Ba 2015, arXiv 1412.6980) with one kernel for the update of each variable."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam, computed by TensorFlow's fused kernel.

    Results up to rounding, hyperparameters, slots and checkpoints are those of Keras, whose update
    takes a dozen operations that each read and write the whole variable.

    Args:
      l2_weight: L2 regularization: this fraction of a variable is added to its gradient. Keras's
        own `weight_decay` is decoupled from the moments instead (AdamW).
      args, kwargs: As for Keras's.
    """

    def __init__(self, *args, l2_weight: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self._l2_weight = l2_weight

    def update_step(self, gradient, variable, learning_rate):
        """Applies a dense gradient to a TensorFlow variable and its slots, all of one dtype."""
        index = self._get_variable_index(variable)
        if self._l2_weight:
            gradient += self._l2_weight * tf.convert_to_tensor(variable)
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.constant(self.beta_1, variable.dtype),
            beta2=tf.constant(self.beta_2, variable.dtype),
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=gradient,
        )
