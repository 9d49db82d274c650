"""Time: when to step, log, draw, save and stop. What a step is or a log holds is elsewhere."""

import contextlib
import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.checkpoints import Checkpoints
from discogan_tf.config import Config
from discogan_tf.data.domains import Domain, cached, load_domain, load_training
from discogan_tf.errors import DataError, NonFiniteLossError
from discogan_tf.models import create_model
from discogan_tf.training import distribution, schedules
from discogan_tf.training.averages import WeightAverages
from discogan_tf.training.journal import Journal
from discogan_tf.training.judge import Judge
from discogan_tf.training.progress import Progress
from discogan_tf.training.sheets import SampleSheets
from discogan_tf.training.signals import StopSignals
from discogan_tf.training.step import create_optimizers, create_step
from discogan_tf.training.workdir import settle_config, write_config

_AFTER_NON_FINITE = (
    "Training stopped, and nothing of this was saved. Running again goes on from the last checkpoint, "
    "or anew where there is none yet; if the same happens, try a new --workdir with a lower "
    "--learning_rate or with --precision=float32."
)


def train(config: Config) -> int | None:
    """Trains, or goes on training, until `config.num_steps` steps are done or a signal says stop.

    Args:
      config: The run's settings.

    Returns:
      None when all steps are done, else the number of the signal that ended the run early.

    Raises:
      ConfigError: if the workdir holds a run with other settings.
      DataError: if a domain is missing.
      CheckpointError: if there are checkpoints that cannot be read.
      NonFiniteLossError: if a loss became NaN or infinite. The last checkpoint stays.
    """
    config = settle_config(config)
    strategy = distribution.create_strategy(config)
    chief = distribution.is_chief(strategy)
    training, validation = _load_domains(config)
    with strategy.scope():
        # Seeds the initial weights, the only thing here that draws from global state.
        keras.utils.set_random_seed(config.seed)
        model = create_model(config, tf.as_dtype(config.precision))
        optimizers = create_optimizers(model, config)
        averaged = create_model(config, tf.float32) if config.ema_decay else None
        averages = WeightAverages(model, averaged, config.ema_decay) if averaged else None
        checkpoints = Checkpoints(
            Path(config.workdir) / "checkpoints", model, optimizers, config.keep_checkpoints, averaged
        )
        first_step = checkpoints.restore_last()
    distribution.require_agreement(strategy, config, first_step)
    if first_step >= config.num_steps:
        print(f"The run is at step {first_step} already: a larger --num_steps takes it further.")
        _print_results(config, first_step)
        return None
    if chief:
        write_config(config)
        checkpoints.remove_leftovers()
        _print_opening(config, training, strategy, first_step)

    updates_per_step = len(schedules.updates(config))
    train_step = create_step(model, optimizers, config, strategy)
    batches = distribution.distributed_batches(
        strategy, config, training["a"], training["b"], updates_per_step, first_step
    )
    shown = averaged or model
    sheets = SampleSheets(shown, config, training, {k: domain.images for k, domain in validation.items()})
    judge = Judge(shown, config, validation, training) if chief else None
    del training, validation  # The pipeline and the sheets have taken what they need.
    networks = [*model.generators.values(), *model.discriminators.values()]
    images_per_step = 2 * config.batch_size * updates_per_step
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(Journal(config, first_step)) if chief else None
        progress = stack.enter_context(
            Progress(first_step, config.num_steps, images_per_step, visible=chief)
        )
        stop = stack.enter_context(StopSignals())
        unread = []
        for step, batch in enumerate(batches, first_step + 1):
            # Losses stay on the device until something is done with them or with the weights.
            unread.append((step, train_step(batch)))
            if averages:
                with strategy.scope():
                    averages.update(step)
            progress.advance()
            last = step == config.num_steps or stop.signal is not None
            log = last or step % config.log_every_steps == 0
            sample = last or step % config.sample_every_steps == 0
            save = last or step % config.save_every_steps == 0
            evaluate = step == config.num_steps or step % config.evaluate_every_steps == 0
            if log or sample or save or evaluate:
                losses = _read_losses(unread, model)
                unread.clear()
            if sample or save or evaluate:
                _require_finite_weights(networks, step)
                with strategy.scope():
                    sheets.recompute_statistics()
            if chief and log:
                journal.write_losses(step, losses)
                progress.show_losses(step, losses)
            if chief and sample:
                journal.write_sheet(step, sheets.draw())
                journal.write_histograms(step, networks)
                journal.flush()
            if chief and save:
                checkpoints.save(step)
            # After the save, for it takes a while; who asked to stop is not kept waiting.
            if chief and evaluate and stop.signal is None:
                judge.judge(step, losses, journal, progress)
            if last:
                break
    if chief:
        _print_closing(config, step)
    return stop.signal if step < config.num_steps else None


def _load_domains(config: Config) -> tuple[dict[str, np.ndarray], dict[str, Domain]]:
    """The training pictures, uint8 [n, size, size, 3], and the validation domains of "a" and "b"."""
    training, validation = {}, {}
    loaded = load_training(config)
    for domain, name in (("a", config.domain_a), ("b", config.domain_b)):
        training[domain] = cached(loaded[domain].images, config.cache_bytes)
        try:
            validation[domain] = load_domain(config.data_dir, name, "val", config.image_size)
        except DataError as error:
            print(f"Note: {error}. Sheets and metrics use training pictures instead.")
            validation[domain] = loaded[domain]
    return training, validation


def _read_losses(unread: list, model) -> dict[str, float]:
    """The last of some steps' losses as numbers, after a look at all of them.

    The sum of each discriminator's losses joins them, for its curve.

    Raises:
      NonFiniteLossError: naming the first step and the losses that are not finite.
    """
    for step, tensors in unread:
        losses = {name: float(value) for name, value in tensors.items()}
        broken = [name for name, value in losses.items() if not math.isfinite(value)]
        if broken:
            raise NonFiniteLossError(
                f"at step {step} these losses are not finite: {', '.join(broken)}. {_AFTER_NON_FINITE}"
            )
    for domain in model.discriminators:
        prefix = f"discriminator_{domain}_"
        parts = [value for name, value in losses.items() if name.startswith(prefix)]
        losses[prefix.rstrip("_")] = sum(parts)
    return losses


def _require_finite_weights(networks: list, step: int) -> None:
    """Keeps weights that the last update broke, which no loss shows yet, out of what is saved or shown.

    Raises:
      NonFiniteLossError: naming the networks.
    """
    broken = [
        network.name
        for network in networks
        if not all(tf.reduce_all(tf.math.is_finite(variable.value)) for variable in network.variables)
    ]
    if broken:
        raise NonFiniteLossError(
            f"after step {step} weights of {', '.join(broken)} are not finite. {_AFTER_NON_FINITE}"
        )


def _print_opening(config: Config, training: dict, strategy, first_step: int) -> None:
    print(
        f"{config.name_a}: {len(training['a'])} pictures of {config.domain_a}; "
        f"{config.name_b}: {len(training['b'])} pictures of {config.domain_b}; "
        f"{config.image_size} pixels, {config.precision}, "
        f"{strategy.num_replicas_in_sync} replica(s) on {_device_kind()}."
    )
    if first_step:
        print(f"Resuming {config.workdir} from its checkpoint of step {first_step}.")
    else:
        print(f"Starting a new run in {config.workdir}.")


def _device_kind() -> str:
    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def _print_closing(config: Config, step: int) -> None:
    if step < config.num_steps:
        print(f"Stopped and saved at step {step} of {config.num_steps}. The same command goes on.")
        return
    print(f"Trained to step {step}.")
    _print_results(config, step)


def _print_results(config: Config, step: int) -> None:
    print(
        f"  Pictures:  {config.workdir}/samples/step_{step:06d}.png\n"
        f"  Curves:    tensorboard --logdir={config.workdir}/logs\n"
        f"  Translate: python -m discogan_tf.translate --workdir={config.workdir} "
        f"--direction={next(iter(config.directions))} --images=DIR --output_dir=DIR"
    )
