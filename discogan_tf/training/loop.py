"""Time: when to step, log, draw, save and stop. What a step is or a log holds is elsewhere."""

import contextlib
import dataclasses
import itertools
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.checkpoints import Checkpoints
from discogan_tf.config import Config
from discogan_tf.data.domains import Domain, cached, load_domain, load_training
from discogan_tf.errors import CheckpointError, DataError, NonFiniteLossError
from discogan_tf.models import create_model
from discogan_tf.training import announcements, distribution, health, provenance, reproducibility, schedules
from discogan_tf.training.averages import WeightAverages
from discogan_tf.training.calls import create_calls
from discogan_tf.training.feed import Feed
from discogan_tf.training.journal import Journal, logged
from discogan_tf.training.judge import Judge, evaluated, losses_of
from discogan_tf.training.lock import WorkdirLock
from discogan_tf.training.progress import Progress
from discogan_tf.training.sheets import SampleSheets
from discogan_tf.training.signals import StopSignals
from discogan_tf.training.step import create_optimizers, create_step
from discogan_tf.training.workdir import is_new, settle_config, was_begun_otherwise, write_config


class Ending(NamedTuple):
    """How training ended.

    Attributes:
      step: The step that the run is at.
      stopped_by: Number of the signal that asked it to stop, even if no step was left; None if none did.
    """

    step: int
    stopped_by: int | None


def train(config: Config) -> Ending:
    """Trains, or goes on training, until `config.num_steps` steps are done or a signal says stop.

    Args:
      config: The run's settings.

    Returns:
      Where the run is, and the signal that asked it to stop, if one did.

    Raises:
      ConfigError: if the workdir holds a run with other settings, is in use or cannot be written.
      DataError: if a domain is missing, or is not the one that the run began with.
      CheckpointError: if there are checkpoints but none that can be read, or the last cannot be written.
      NonFiniteLossError: if a loss or gradient became NaN or infinite. The last checkpoint stays.
      WorkerLostError: if another worker is gone.
    """
    reproducibility.enforce(config)
    strategy = distribution.create_strategy(config)
    chief = distribution.is_chief(strategy)
    training, validation = _load_domains(config)
    with (
        WorkdirLock(Path(config.workdir)) if chief else contextlib.nullcontext(),
        distribution.lost_workers_told(strategy),
    ):
        config = settle_config(config)
        return _Run(config, strategy, chief, training, validation).train()


class _Run:
    """A run in this process: what it trains, and where it is.

    Args:
      config: The run's settings, settled.
      strategy: Where it is computed.
      chief: Whether this process writes to the workdir.
      training: "a", "b" -> training pictures, uint8 [n, size, size, 3].
      validation: "a", "b" -> the `Domain` of its validation pictures.
    """

    def __init__(self, config: Config, strategy, chief: bool, training: dict, validation: dict):
        self._config, self._strategy, self._chief, self._training = config, strategy, chief, training
        self._workdir = Path(config.workdir)
        self._new = is_new(self._workdir)
        with strategy.scope():
            # Seeds the initial weights, the only thing here that draws from global state.
            keras.utils.set_random_seed(config.seed)
            self._model = create_model(config, tf.as_dtype(config.precision))
            optimizers = create_optimizers(self._model, config)
            averaged = create_model(config, tf.float32) if config.ema_decay else None
            self._averages = WeightAverages(self._model, averaged, config.ema_decay) if averaged else None
            self._checkpoints = Checkpoints(
                self._workdir / "checkpoints", self._model, optimizers, config.keep_checkpoints, averaged
            )
        self._feed = Feed(strategy, config, training)
        step = create_step(self._model, optimizers, config, strategy, self._feed.make_batches)
        self._take_steps = create_calls(step, strategy, self._averages)
        shown = averaged or self._model
        pictures = {key: domain.images for key, domain in validation.items()}
        self._sheets = SampleSheets(shown, config, training, pictures)
        self._judge = Judge(shown, config, validation, training) if chief else None
        self._networks = [*self._model.generators.values(), *self._model.discriminators.values()]

    def train(self) -> Ending:
        """As the function `train`."""
        config, first_step = self._config, self._begin()
        distribution.require_agreement(self._strategy, config, first_step)
        if first_step >= config.num_steps:
            if self._chief and self._lacks_evaluation(first_step, logged(self._workdir, first_step)):
                with self._opened(first_step) as (journal, progress):
                    self._recall(first_step, journal, progress)
            print(f"The run is at step {first_step} already: a larger --num_steps takes it further.")
            announcements.print_results(config, first_step)
            return Ending(first_step, None)
        if self._chief:
            before, now = provenance.record(config, first_step, self._strategy.num_replicas_in_sync)
            announcements.print_opening(
                config, self._training, self._strategy,
                None if self._new else first_step, reproducibility.doubts(before, now),
            )  # fmt: skip
        skipped = health.read_skipped(self._workdir)
        with StopSignals() as stop:
            for rollbacks in itertools.count():
                try:
                    step, stopped_by = self._train_from(first_step, stop, skipped)
                    break
                except NonFiniteLossError as error:
                    if config.on_nonfinite == "stop" or rollbacks == health.MOST_ROLLBACKS:
                        raise
                    skipped.add(error.step)
                    with self._strategy.scope():
                        first_step = self._checkpoints.restore_last()
                    if self._chief:
                        health.write_skipped(self._workdir, skipped)
                        announcements.print_rollback(error, first_step, rollbacks + 1)
        if self._chief:
            announcements.print_closing(config, step)
        return Ending(step, stopped_by)

    def _begin(self) -> int:
        """Restores the last checkpoint, or saves the first: a run that was begun always has one."""
        with self._strategy.scope():
            first_step = None if self._new else self._checkpoints.restore_last()
        if first_step is not None:
            if self._chief:
                self._checkpoints.remove_leftovers()
                write_config(self._config)
            return first_step
        if not self._new:
            raise CheckpointError(
                f"{self._workdir} holds a run but no checkpoint of it. Restore one from a copy, or move "
                "the folder away to start anew."
            )
        if self._chief:
            if was_begun_otherwise(self._config):
                health.write_skipped(self._workdir, set())
            self._checkpoints.save(0)
            self._checkpoints.remove_leftovers()
            write_config(self._config)
        return 0

    def _train_from(self, first_step: int, stop: StopSignals, skipped: set[int]) -> tuple[int, int | None]:
        """Trains to the end. Gives the last step, and the number of the signal that asked to stop."""
        config, elements = self._config, self._feed.elements(first_step)
        with self._opened(first_step) as (journal, progress):
            if self._chief:
                self._recall(first_step, journal, progress)
            step, unread, losses = first_step, [], {}
            while True:
                count = self._steps_of_a_call(step, skipped)
                if count:
                    # Losses stay on the device until something is done with them or with the weights.
                    unread.append(self._take_steps(elements, step + 1, count))
                else:
                    next(elements)
                step += count or 1
                progress.advance(count or 1)
                due = _Due(config, step)
                stopped_by = distribution.agreed_signal(self._strategy, stop.signal, due.log)
                if stopped_by:
                    due = due.at_the_end()
                if due.anything:
                    losses = health.read_losses(unread, self._model) if unread else losses
                    unread.clear()
                if due.sample or due.save or due.evaluate:
                    health.require_finite_weights(self._networks, step)
                    with self._strategy.scope():
                        self._sheets.recompute_statistics()
                if self._chief:
                    last = bool(stopped_by) or step == config.num_steps
                    with announcements.told_unless(last, progress, step):
                        # After the save, for it takes a while; who asked to stop is not kept waiting.
                        self._write(step, due, losses, journal, progress)
                if stopped_by or step == config.num_steps:
                    return step, stopped_by

    def _steps_of_a_call(self, step: int, skipped: set[int]) -> int:
        """How many steps to take at once from `step` on; none if the next one is left out."""
        last = step
        while last < step + self._config.steps_per_call and last + 1 not in skipped:
            last += 1
            if _Due(self._config, last).anything:
                break
        return last - step

    @contextlib.contextmanager
    def _opened(self, first_step: int):
        """The journal, of the chief alone, and the progress bar."""
        config = self._config
        images_per_step = 2 * config.batch_size * len(schedules.updates(config))
        bar = Progress(first_step, config.num_steps, images_per_step, visible=self._chief)
        with (
            bar as progress,
            Journal(config, first_step) if self._chief else contextlib.nullcontext() as journal,
        ):
            yield journal, progress

    def _recall(self, first_step: int, journal: Journal, progress: Progress) -> None:
        """What a run that goes on must know: evaluations before, and the last, if a kill took it."""
        self._judge.recall(journal.earlier)
        if self._lacks_evaluation(first_step, journal.earlier):
            self._judge.judge(first_step, losses_of(journal.earlier, first_step), journal, progress)

    def _lacks_evaluation(self, step: int, lines: list[dict]) -> bool:
        return step > 0 and _Due(self._config, step).evaluate and not evaluated(lines, step)

    def _write(self, step: int, due: "_Due", losses: dict, journal: Journal, progress: Progress) -> None:
        """Everything that a step leaves behind, the checkpoint after what belongs before it."""
        if due.log and losses:
            journal.write_losses(step, losses)
            progress.show_losses(step, losses)
        if due.sample:
            journal.write_sheet(step, self._sheets.draw())
            journal.write_histograms(step, self._networks)
        if due.save:
            journal.flush()
            self._checkpoints.save(step)
        if due.evaluate and losses:
            self._judge.judge(step, losses, journal, progress)


@dataclasses.dataclass(frozen=True)
class _Due:
    """What is to be done after a step."""

    config: Config
    step: int
    stopping: bool = False

    def at_the_end(self) -> "_Due":
        """Of a run that is asked to stop: all is written, but nobody is kept waiting by an evaluation."""
        return dataclasses.replace(self, stopping=True)

    def _every(self, steps: int) -> bool:
        return self.stopping or self.step == self.config.num_steps or self.step % steps == 0

    @property
    def log(self) -> bool:
        return self._every(self.config.log_every_steps) or self.evaluate

    @property
    def sample(self) -> bool:
        return self._every(self.config.sample_every_steps)

    @property
    def save(self) -> bool:
        return self._every(self.config.save_every_steps)

    @property
    def evaluate(self) -> bool:
        return not self.stopping and self._every(self.config.evaluate_every_steps)

    @property
    def anything(self) -> bool:
        return self.log or self.sample or self.save or self.evaluate


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
