"""Distribution strategies: one device, several devices of this machine, or several machines."""

import contextlib
import dataclasses
import functools
import zlib

import numpy as np
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.data.domains import fingerprints
from discogan_tf.errors import ConfigError, WorkerLostError
from discogan_tf.models import model_class
from discogan_tf.models.text_encoder import TextEncoderModel

_SIGTERM = 15


def create_strategy(config: Config) -> tf.distribute.Strategy:
    """The strategy of `--distribute`.

    Raises:
      ConfigError: see `require_supported`.
    """
    if config.distribute == "mirrored":
        strategy = tf.distribute.MirroredStrategy(_local_devices())
    elif config.distribute == "multi_worker":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    require_supported(config, strategy)
    return strategy


def require_supported(config: Config, strategy: tf.distribute.Strategy) -> None:
    """Checks the settings against the number of replicas.

    Raises:
      ConfigError: if the batch size is not a multiple of the number of replicas; if float16, XLA,
        feature matching or a text encoder is used on several replicas; if a replay buffer is used
        with a distribution strategy; or if --device_cache_bytes is used on several machines.
    """
    if config.precision == "float16" and strategy.num_replicas_in_sync > 1:
        raise ConfigError(
            "--precision=float16 works on one device only, because each replica would scale its "
            "loss differently. Use bfloat16 or float32"
        )
    if config.xla and strategy.num_replicas_in_sync > 1:
        raise ConfigError(
            "--xla works on one device only, because XLA cannot compile reductions over replicas"
        )
    if config.device_cache_bytes > 0 and config.distribute == "multi_worker":
        raise ConfigError("--device_cache_bytes is for one machine. Omit it with multi_worker")
    if config.feature_matching_weight and strategy.num_replicas_in_sync > 1:
        raise ConfigError(
            "--feature_matching_weight works on one device only, because each replica would match "
            "the means of its own shard"
        )
    if model_class(config) is TextEncoderModel and strategy.num_replicas_in_sync > 1:
        raise ConfigError(
            f"--model={config.model} works on one device only, because each replica would compare "
            "the texts of its own shard"
        )
    if config.replay_images and config.distribute != "none":
        raise ConfigError(
            "--replay_images works on one device only, because each replica would store other "
            f"translations. Omit it with --distribute={config.distribute}"
        )
    if config.batch_size % strategy.num_replicas_in_sync:
        raise ConfigError(
            f"--batch_size={config.batch_size}: must be a multiple of the "
            f"{strategy.num_replicas_in_sync} replicas"
        )


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes to the workdir."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "chief":
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief


def require_agreement(strategy: tf.distribute.Strategy, config: Config, first_step: int) -> None:
    """Checks that all workers start from the same step with the same settings and images.

    Raises:
      ConfigError: if they do not, for example because they do not share the workdir.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    # Paths may differ from machine to machine.
    settings = repr(dataclasses.replace(config, workdir="shared", data_dir="shared"))
    for domain in config.domains.values():
        settings += f", {domain}: {fingerprints(config.data_dir, domain, config.image_size)}"
    mine = tf.constant([first_step, zlib.crc32(settings.encode())], tf.int64)

    total = _summed_over_replicas(strategy)(mine)
    if not np.array_equal(total, mine * strategy.num_replicas_in_sync):
        raise ConfigError(
            "the workers differ in step, settings or images, so training cannot start. Give all of "
            "them the same flags (and --precision, if their hardware differs), copies of the same "
            "prepared domains, and the same --workdir on shared storage. This worker: step "
            f"{first_step}, {settings}"
        )


@contextlib.contextmanager
def worker_loss_errors(strategy: tf.distribute.Strategy):
    """Context manager: the loss of another worker becomes an error that says what to do.

    Raises:
      WorkerLostError: in place of TensorFlow's errors.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not _is_one_of_several(strategy):
            raise
        raise WorkerLostError(
            "another worker was lost or cannot be reached, so training cannot continue. Start all "
            "workers again with the same commands: they resume from the last checkpoint"
        ) from error


def agreed_signal(strategy: tf.distribute.Strategy, signal: int | None, due: bool) -> int | None:
    """The signal that stops the run: this process's own or, with several workers, that of any.

    Workers must stop after the same step, or some would wait for ever. So they exchange their
    signals at the steps where `due` is true, which must be the same for all.
    """
    if not _is_one_of_several(strategy):
        return signal
    if not due:
        return None

    total = _summed_over_replicas(strategy)(tf.constant(signal or 0, tf.int64))
    if int(total) == 0:
        return None
    return signal or _SIGTERM


@functools.lru_cache(maxsize=1)
def _summed_over_replicas(strategy: tf.distribute.Strategy):
    """A function from each worker's own tensor to the sum over all replicas."""

    def summed(mine):
        replica = tf.distribute.get_replica_context()
        # Made a value per replica: one that all share would not be summed.
        own = mine + 0 * tf.cast(replica.replica_id_in_sync_group, tf.int64)
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, own)

    @tf.function
    def run(mine):
        return strategy.run(summed, args=(mine,))

    return lambda mine: strategy.experimental_local_results(run(mine))[0]


def _is_one_of_several(strategy: tf.distribute.Strategy) -> bool:
    """Whether there are other workers beside this process."""
    resolver = strategy.cluster_resolver
    return resolver is not None and bool(resolver.task_type) and strategy.num_replicas_in_sync > 1


def _local_devices() -> list[str]:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]
