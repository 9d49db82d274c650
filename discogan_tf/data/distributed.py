"""Input for the step on any number of replicas: batches, or numbers to make them from."""

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.captions import Captions
from discogan_tf.data.pipeline import BatchPlan, shard_function, shard_numbers, training_batches

# 350,000 images of 64 pixels. Networks of this size need less than what remains of a GPU's memory.
_GPU_CACHE_BYTES = 4 << 30


class DistributedInput:
    """The batches of a run, the same wherever they are made and for any number of replicas.

    Args:
      strategy: Where they are used.
      config: The run's settings.
      training: "a", "b" -> the images to make batches from, uint8 [n, size, size, 3].
      updates_per_step: How many batches a step takes.
      captions: Of the images of the only stream, if they have captions.
      noise_size: Random numbers for each image (see `BatchPlan`).

    Attributes:
      make_batches: Function for `create_step` that makes batches on each replica from an element of
        `elements`; None if the elements are the batches.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        config: Config,
        training: dict,
        updates_per_step: int,
        captions: Captions | None = None,
        noise_size: int = 0,
    ):
        self._strategy, self._config, self._training = strategy, config, training
        self._captions, self._noise_size = captions, noise_size
        self._updates_per_step = updates_per_step
        self.make_batches = None
        if _fits_on_devices(config, training):
            with strategy.scope():
                on_devices = {
                    domain: tf.Variable(images[:], trainable=False)
                    for domain, images in training.items()
                }
            plan = self._plan(strategy.num_replicas_in_sync)
            self.make_batches = shard_function(on_devices, plan, tf.gather, captions)

    def elements(self, first_step: int = 0):
        """An endless iterator over the input of each step, distributed to the replicas.

        Every worker makes its own shards of the global batches.
        """

        def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local_replicas = context.num_replicas_in_sync // context.num_input_pipelines
            plan = self._plan(
                context.num_replicas_in_sync,
                first_replica=context.input_pipeline_id * local_replicas,
                local_replicas=local_replicas,
            )
            if self.make_batches:
                return shard_numbers(plan, first_step)
            return training_batches(self._training, plan, first_step, self._captions)

        # Shard numbers stay on the CPU.
        options = tf.distribute.InputOptions(experimental_fetch_to_device=self.make_batches is None)
        return iter(self._strategy.distribute_datasets_from_function(local, options))

    def _plan(self, num_replicas: int, **local) -> BatchPlan:
        return BatchPlan(
            batch_size=self._config.batch_size,
            updates_per_step=self._updates_per_step,
            flip=self._config.flip,
            crop_size=self._config.image_size if self._config.load_size else 0,
            noise_size=self._noise_size,
            seed=self._config.seed,
            num_replicas=num_replicas,
            **local,
        )


def _fits_on_devices(config: Config, training: dict) -> bool:
    most = config.device_cache_bytes
    if config.distribute == "multi_worker":
        return False  # The strategy broadcasts variables, which fails for uint8.
    if most < 0:
        most = _GPU_CACHE_BYTES if tf.config.list_physical_devices("GPU") else 0
    return sum(images.nbytes for images in training.values()) <= most
