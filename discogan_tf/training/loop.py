"""Training loop: schedules steps, logs, sample grids, evaluations and checkpoints."""

import contextlib
import functools
import itertools
import shutil
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from discogan_tf.config import BEST, Config
from discogan_tf.data.distributed import DistributedInput
from discogan_tf.data.run_images import RunImages, load_run_images
from discogan_tf.errors import CheckpointError, NonFiniteLossError
from discogan_tf.models import create_ema_model, create_model, model_class
from discogan_tf.models.contract import by_display_name
from discogan_tf.runs import console, provenance, reproducibility
from discogan_tf.runs.checkpoints import Checkpoints
from discogan_tf.runs.lock import WorkdirLock
from discogan_tf.runs.manifest import complete_steps
from discogan_tf.runs.metrics_log import MetricsLog, losses_at, read_metrics_log
from discogan_tf.runs.workdir import (
    is_new,
    remove_config,
    resolve_config,
    settings_changed,
    write_config,
    write_vocabulary,
)
from discogan_tf.training import distribution, finite
from discogan_tf.training.due import Due
from discogan_tf.training.ema import ExponentialMovingAverage
from discogan_tf.training.evaluator import Evaluator, was_evaluated
from discogan_tf.training.initialization import initialize
from discogan_tf.training.samples import SampleGrids
from discogan_tf.training.schedules import step_policies, update_schedule
from discogan_tf.training.signals import StopSignals
from discogan_tf.training.step import create_optimizers, create_step
from discogan_tf.training.train_loop import create_train_loop


class TrainResult(NamedTuple):
    """How training ended.

    Attributes:
      step: Last completed step.
      stopped_by: Number of the signal that requested the stop, even after the last step; None
        without a signal.
    """

    step: int
    stopped_by: int | None


def train(config: Config) -> TrainResult:
    """Trains, or continues to train, until `config.num_steps` steps are done or a signal arrives.

    Args:
      config: The run's settings.

    Raises:
      ConfigError: if the workdir holds a run with other settings, is in use or cannot be written.
      DataError: if a domain is missing, or is not the one that the run began with.
      CheckpointError: if there are checkpoints but none can be read, or the last cannot be written.
      NonFiniteLossError: if a loss or gradient became NaN or infinite. The last checkpoint stays.
      WorkerLostError: if another worker is lost.
    """
    model_class(config)  # Before anything is loaded.
    reproducibility.enforce(config)
    strategy = distribution.create_strategy(config)
    is_chief = distribution.is_chief(strategy)
    images = load_run_images(config)
    with (
        WorkdirLock(Path(config.workdir)) if is_chief else contextlib.nullcontext(),
        distribution.worker_loss_errors(strategy),
    ):
        config = resolve_config(config)
        distribution.require_supported(config, strategy)  # Of a precision that was "auto".
        if is_chief and is_new(Path(config.workdir)):
            _discard_untrained(config)
        return _Run(config, strategy, is_chief, images).train()


def _discard_untrained(config: Config) -> None:
    """Removes the settings of a run that began but was not trained, which begins anew.

    A crash while its first checkpoint is written again then leaves a folder without settings, in
    which a run may begin. Its best checkpoints go too: they may be of other images.
    """
    workdir = Path(config.workdir)
    if settings_changed(config):
        finite.write_skipped(workdir, set())
    shutil.rmtree(workdir / BEST, ignore_errors=True)
    remove_config(workdir)


class _Run:
    """State of one training run in this process.

    Args:
      config: The run's settings, resolved.
      strategy: Distribution strategy of the run.
      is_chief: Whether this process writes to the workdir.
      images: What it trains on and is shown.
    """

    def __init__(self, config: Config, strategy, is_chief: bool, images: RunImages):
        self._config, self._strategy, self._is_chief = config, strategy, is_chief
        self._training, self._workdir = images.training, Path(config.workdir)
        self._new, self._captions = is_new(self._workdir), images.captions
        with strategy.scope():
            # Seeds the initial weights, the only thing here that depends on global state.
            keras.utils.set_random_seed(config.seed)
            self._model = create_model(config, tf.as_dtype(config.precision))
            optimizers = create_optimizers(self._model, config)
            ema_model = ema = None
            if config.ema_decay:
                ema_model = create_ema_model(config)
            if self._new and hasattr(self._model, "initialize"):
                initialize(config, [self._model] + [ema_model] * bool(ema_model))
            if config.ema_decay:
                ema = ExponentialMovingAverage(self._model, ema_model, config.ema_decay)
            self._checkpoints = Checkpoints(
                self._workdir / "checkpoints",
                self._model,
                optimizers,
                config.keep_checkpoints,
                ema_model,
            )
        updates = update_schedule(config)
        self._images_per_step = len(config.domains) * config.batch_size * len(updates)
        self._input = DistributedInput(
            strategy, config, images.sources, len(updates), images.captions, self._model.noise_size
        )
        step = create_step(
            self._model,
            optimizers,
            strategy,
            **step_policies(config, self._model),
            make_batches=self._input.make_batches,
        )
        self._train_loop = create_train_loop(step, strategy, ema)
        shown = ema_model or self._model
        held_out = {key: domain.images for key, domain in images.validation.items()}
        self._samples = SampleGrids(shown, config, images.training, held_out, bool(ema_model))
        self._evaluator = None
        if is_chief:
            self._evaluator = Evaluator(shown, config, images.validation, images.training)
        self._networks = [*self._model.generators.values(), *self._model.discriminators.values()]
        directions = by_display_name(self._model, config.display_names)
        self._usage = self._model.usage.format(
            workdir=config.workdir, direction=next(iter(directions), "")
        )

    def train(self) -> TrainResult:
        """See the function `train`."""
        config, first_step = self._config, self._begin()
        distribution.require_agreement(self._strategy, config, first_step)
        if first_step >= config.num_steps:
            return self._already_trained(first_step)
        if self._is_chief:
            if self._captions:
                write_vocabulary(self._workdir, self._captions.words())
            before, now = provenance.record(config, first_step, self._strategy.num_replicas_in_sync)
            write_config(config)
            console.print_start(
                config,
                self._training,
                self._strategy,
                None if self._new else first_step,
                reproducibility.reproducibility_warnings(before, now),
                self._checkpoints.size_of_last(),
            )
        skipped = finite.read_skipped(self._workdir)
        with StopSignals() as stop:
            for rollbacks in itertools.count():
                try:
                    step, stopped_by = self._train_from(first_step, stop, skipped)
                    break
                except NonFiniteLossError as error:
                    if config.on_nonfinite == "stop":
                        raise
                    if rollbacks == finite.MAX_ROLLBACKS:
                        raise finite.after_rollbacks(error) from error
                    first_step = self._roll_back(error, skipped, rollbacks + 1)
        if self._is_chief:
            warnings = self._evaluator.warnings.holding
            worse = self._stops_when_worse()
            console.print_end(config, step, self._usage, warnings, worse)
        return TrainResult(step, stopped_by)

    def _begin(self) -> int:
        """Restores the last checkpoint, or saves the first: a run that began always has one."""
        with self._strategy.scope():
            first_step = None if self._new else self._checkpoints.restore_last()
        if first_step is not None:
            if self._is_chief:
                self._checkpoints.remove_leftovers()
            return first_step
        if not self._new:
            raise CheckpointError(
                f"{self._workdir} holds a run but no checkpoint of it. Restore one from a copy, or "
                "move the folder away to start again"
            )
        if self._is_chief:
            try:
                self._checkpoints.save(0)
            except CheckpointError as error:
                raise CheckpointError(
                    f"{error}. Nothing was trained yet. Free some space, then run the same command"
                ) from error
            self._checkpoints.remove_leftovers()
            write_config(self._config)
        return 0

    def _already_trained(self, step: int) -> TrainResult:
        """Ends a run that has no step left, with the evaluation that a crash may have prevented."""
        records = read_metrics_log(self._workdir, step) if self._is_chief else []
        if self._is_chief and self._lacks_evaluation(step, records):
            with self._opened(step) as (metrics_log, progress):
                self._restore_evaluator(step, metrics_log, progress)
        elif self._is_chief:
            self._evaluator.restore(records)
        remedy = "Give a larger --num_steps to continue it."
        if self._config.learning_rate_decay_steps:
            remedy = "Its learning rate has decayed to 0, so it cannot be continued."
        print(f"The run is already at step {step}. {remedy}")
        console.print_results(self._config, step, self._usage)
        if self._is_chief:
            console.print_warnings(self._evaluator.warnings.holding)
        return TrainResult(step, None)

    def _roll_back(self, error: NonFiniteLossError, skipped: set[int], number: int) -> int:
        """Restores the last checkpoint and leaves out the batch that broke. Returns the step."""
        skipped.add(error.step)
        with self._strategy.scope():
            step = self._checkpoints.restore_last()
        if self._is_chief:
            finite.write_skipped(self._workdir, skipped)
            console.print_rollback(error, step, number, finite.MAX_ROLLBACKS)
        return step

    def _train_from(
        self, first_step: int, stop: StopSignals, skipped: set[int]
    ) -> tuple[int, int | None]:
        """Trains to the end. Returns the last step, and the signal that requested the stop."""
        config, elements = self._config, self._input.elements(first_step)
        with self._opened(first_step) as (metrics_log, progress):
            if self._is_chief:
                self._restore_evaluator(first_step, metrics_log, progress)
            if self._stops_when_worse():
                return first_step, None
            step, unread, losses = first_step, [], {}
            while True:
                count = self._steps_per_execution(step, skipped)
                if count:
                    # Losses stay on the device until they, or the weights, are used.
                    unread.append(self._train_loop(elements, step + 1, count))
                else:
                    next(elements)
                step += count or 1
                progress.advance(count or 1)
                due = Due(config, step)
                stopped_by = distribution.agreed_signal(self._strategy, stop.signal, due.log)
                if stopped_by:
                    due = due.when_stopping()
                if due.anything:
                    losses = finite.read_losses(unread, self._model) if unread else losses
                    unread.clear()
                if due.sample or due.save or due.evaluate:
                    finite.require_finite_weights(self._networks, step)
                    with self._strategy.scope():
                        self._samples.reestimate_statistics()
                if self._is_chief:
                    self._record(due, losses, bool(count), metrics_log, progress)
                if due.is_last:
                    return step, stopped_by
                if self._stops_when_worse():
                    # It may have been due, and failed.
                    if complete_steps(self._workdir / "checkpoints")[0] != step:
                        with console.tolerate_write_errors(True, progress, step, step):
                            metrics_log.flush()
                            self._checkpoints.save(step)
                    return step, None

    def _record(
        self,
        due: Due,
        losses: dict[str, float],
        trained: bool,
        metrics_log: MetricsLog,
        progress: console.Progress,
    ) -> None:
        """Writes all that is due after a step: logs before the checkpoint, an evaluation last.

        The checkpoint is written even if a log cannot be.

        Args:
          due: What is due.
          losses: Of the last step that was taken; empty if none was.
          trained: Whether that is this step, which may have been left out.
          metrics_log: Where it is logged.
          progress: Where it is shown.
        """
        step = due.step
        tolerate = functools.partial(
            console.tolerate_write_errors, due.is_last, progress, step, due.next_save
        )
        grid = self._samples.make() if due.sample else None
        try:
            with tolerate():
                if due.log and losses and trained:
                    metrics_log.write_losses(step, losses)
                    progress.show_losses(step, losses)
                if due.sample:
                    metrics_log.write_sample_grid(step, grid)
                    metrics_log.write_histograms(step, self._networks)
                if due.save:
                    metrics_log.flush()
        finally:
            if due.save:
                with tolerate():
                    self._checkpoints.save(step)
        if due.evaluate and losses:
            measured = self._evaluator.measure()
            with tolerate():
                self._evaluator.record(step, measured, losses, metrics_log, progress)

    def _steps_per_execution(self, step: int, skipped: set[int]) -> int:
        """How many steps to take at once from `step` on; 0 if the next one is left out."""
        last = step
        while last < step + self._config.steps_per_execution and last + 1 not in skipped:
            last += 1
            if Due(self._config, last).anything:
                break
        return last - step

    @contextlib.contextmanager
    def _opened(self, first_step: int):
        """The metrics log, of the chief alone, and the progress bar."""
        bar = console.Progress(
            first_step, self._config.num_steps, self._images_per_step, visible=self._is_chief
        )
        log = MetricsLog(self._config, first_step) if self._is_chief else contextlib.nullcontext()
        with bar as progress, log as metrics_log:
            yield metrics_log, progress

    def _restore_evaluator(
        self, first_step: int, metrics_log: MetricsLog, progress: console.Progress
    ) -> None:
        """Restores earlier evaluations, and makes up for the last one if a crash prevented it."""
        self._evaluator.restore(metrics_log.earlier)
        if self._lacks_evaluation(first_step, metrics_log.earlier):
            losses, due = losses_at(metrics_log.earlier, first_step), Due(self._config, first_step)
            measured = self._evaluator.measure()
            with console.tolerate_write_errors(due.is_last, progress, first_step, due.next_save):
                self._evaluator.record(first_step, measured, losses, metrics_log, progress)

    def _stops_when_worse(self) -> bool:
        """Whether the run ends here because its results have become worse."""
        return self._config.stop_when_worse and self._evaluator.warnings.is_worse

    def _lacks_evaluation(self, step: int, records: list[dict]) -> bool:
        return step > 0 and Due(self._config, step).evaluate and not was_evaluated(records, step)
