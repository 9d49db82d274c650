"""Adam (Kingma and Ba 2015) with one kernel for each variable's update."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam: the same mathematics, settings and slots, and so the same checkpoints.

    Keras makes an update of a dozen operations, each of which reads and writes the whole variable.

    Args:
      weight_share: How much of a variable is added to its gradient (L2 regularization). Keras's own
        `weight_decay` is another thing, which passes by the moments.
      arguments, more: As Keras's.
    """

    def __init__(self, *arguments, weight_share: float = 0.0, **more):
        super().__init__(*arguments, **more)
        self._weight_share = weight_share

    def update_step(self, gradient, variable, learning_rate):
        """Applies a dense gradient to a TensorFlow variable and its slots, all of one dtype."""
        index = self._get_variable_index(variable)
        if self._weight_share:
            gradient += self._weight_share * tf.convert_to_tensor(variable)
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
