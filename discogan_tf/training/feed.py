"""How pictures reach the step: as batches made beforehand, or as numbers that devices make them from."""

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.pipeline import BatchPlan, part_function, part_numbers, training_batches
from discogan_tf.training import schedules

# 350,000 pictures of 64 pixels. What networks of this size need beside them is less.
_MOST_ON_GPUS = 4 << 30


class Feed:
    """The batches of a run. They are the same wherever they are made, and for any number of replicas.

    Args:
      strategy: Where they are used.
      config: The run's settings.
      training: "a", "b" -> training pictures, uint8 [n, size, size, 3].

    Attributes:
      make_batches: For `create_step`: what makes batches, on each replica, from an element of `elements`.
        None if elements are batches.
    """

    def __init__(self, strategy: tf.distribute.Strategy, config: Config, training: dict):
        self._strategy, self._config, self._training = strategy, config, training
        self.make_batches = None
        if _fit_on_devices(config, training):
            with strategy.scope():
                pictures = {k: tf.Variable(images[:], trainable=False) for k, images in training.items()}
            plan = self._plan(strategy.num_replicas_in_sync)
            self.make_batches = part_function(pictures, plan, tf.gather)

    def elements(self, first_step: int = 0):
        """An endless iterator over what each step needs, shared out among the replicas.

        Every worker makes its own parts of the global batches.
        """

        def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local_replicas = context.num_replicas_in_sync // context.num_input_pipelines
            plan = self._plan(
                context.num_replicas_in_sync,
                first_replica=context.input_pipeline_id * local_replicas,
                local_replicas=local_replicas,
            )
            if self.make_batches:
                return part_numbers(plan, first_step)
            return training_batches(self._training["a"], self._training["b"], plan, first_step)

        # Numbers are for the processor, wherever the step runs.
        options = tf.distribute.InputOptions(experimental_fetch_to_device=self.make_batches is None)
        return iter(self._strategy.distribute_datasets_from_function(local, options))

    def _plan(self, num_replicas: int, **local) -> BatchPlan:
        return BatchPlan(
            batch_size=self._config.batch_size,
            updates_per_step=len(schedules.updates(self._config)),
            flip=self._config.flip,
            seed=self._config.seed,
            num_replicas=num_replicas,
            **local,
        )


def _fit_on_devices(config: Config, training: dict) -> bool:
    most = config.device_cache_bytes
    if config.distribute == "multi_worker":
        return False  # Such variables are sent from worker to worker, and bytes cannot be.
    if most < 0:
        most = _MOST_ON_GPUS if tf.config.list_physical_devices("GPU") else 0
    return sum(pictures.nbytes for pictures in training.values()) <= most
