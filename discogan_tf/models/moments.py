"""Running mean and deviation of what a domain's images have in common."""

import tensorflow as tf

# How much of the moments an update replaces: they average over about fifty batches.
_RATE = 0.02
_LEAST_DEVIATION = 1e-3


class RunningMoments:
    """Mean and standard deviation of vectors over the batches of training.

    Args:
      size: Length of a vector.

    Attributes:
      variables: Name -> variable, which checkpoints must hold.
    """

    def __init__(self, size: int):
        def variable(*shape):
            # All replicas assign equal values.
            only_first = tf.VariableAggregation.ONLY_FIRST_REPLICA
            return tf.Variable(tf.zeros(shape), trainable=False, aggregation=only_first)

        self.variables = {
            "mean": variable(size),
            "mean_square": variable(size),
            "num_updates": variable(),
        }

    def update(self, values: tf.Tensor) -> None:
        """Takes a batch into account, float32 [batch, size]: the batches of all replicas."""
        moments = tf.reduce_mean(values, 0), tf.reduce_mean(tf.square(values), 0)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            moments = replica.all_reduce(tf.distribute.ReduceOp.MEAN, list(moments))
        self.variables["num_updates"].assign_add(1.0)
        rate = tf.maximum(_RATE, 1.0 / tf.convert_to_tensor(self.variables["num_updates"]))
        for name, value in zip(("mean", "mean_square"), moments, strict=True):
            running = self.variables[name]
            running.assign((1 - rate) * running + rate * value)

    @property
    def mean(self) -> tf.Tensor:
        """Mean so far, float32 [size]."""
        return tf.convert_to_tensor(self.variables["mean"])

    @property
    def deviation(self) -> tf.Tensor:
        """Standard deviation so far, float32 [size], above 0."""
        variance = tf.convert_to_tensor(self.variables["mean_square"]) - tf.square(self.mean)
        return tf.sqrt(tf.maximum(variance, _LEAST_DEVIATION**2))

    def standardize(self, values: tf.Tensor) -> tf.Tensor:
        """(values - mean) / deviation, with the moments as constants."""
        return (values - self.mean) / self.deviation
