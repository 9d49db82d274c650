"""What a run prints: a progress bar with losses, and messages when it begins, ends or fails."""

import contextlib
import errno
import resource
import sys
import time
from collections.abc import Iterator

import tensorflow as tf
from tqdm import tqdm

from discogan_tf.config import Config
from discogan_tf.errors import CheckpointError, NonFiniteLossError

# The chapter prints a line of losses this often.
_PRINT_EVERY_STEPS = 100
# The time that a run will take is estimated from so many steps, after the first calls compiled it.
_MEASURED_STEPS = 20
# In a file the bar is one line every so many seconds.
_SECONDS_BETWEEN_LINES = 30
_BAR = "{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class Progress:
    """The progress bar of a run, with speed, time left and losses. A context manager.

    Args:
      first_step: The step resumed from.
      num_steps: The last step.
      images_per_step: Images of both domains that a step learns from.
      visible: False on workers that are not the chief.
    """

    def __init__(self, first_step: int, num_steps: int, images_per_step: int, visible: bool):
        terminal = sys.stderr.isatty()
        self._images_per_step, self._num_steps = images_per_step, num_steps
        self._visible = visible
        # When the first call had ended, and the step that it had reached.
        self._first_call: tuple[float, int] | None = None
        self._is_estimated = False
        self._bar = tqdm(
            total=num_steps,
            initial=first_step,
            unit="step",
            disable=not visible,
            dynamic_ncols=True,
            mininterval=0.2 if terminal else _SECONDS_BETWEEN_LINES,
            bar_format=_BAR if terminal else None,
        )

    def advance(self, steps: int) -> None:
        self._bar.update(steps)
        if not self._is_estimated and self._visible:
            self._estimate(self._bar.n)

    def _estimate(self, step: int) -> None:
        """Says once how long the run will take, after some steps."""
        if self._first_call is None:
            self._first_call = time.monotonic(), step
        elif step - self._first_call[1] >= _MEASURED_STEPS:
            self._is_estimated = True
            seconds = (time.monotonic() - self._first_call[0]) / (step - self._first_call[1])
            minutes = (self._num_steps - step) * seconds / 60
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            self.say(
                f"{1000 * seconds:.0f} ms per step: about {max(1, minutes):.0f} minute(s) for the "
                f"other {self._num_steps - step:,} steps, without evaluations. "
                f"{memory:.1f} GiB of memory."
            )

    def show_losses(self, step: int, losses: dict[str, float]) -> None:
        if not self._visible:
            return
        rate = self._bar.format_dict["rate"]
        speed = f"{rate * self._images_per_step:.0f} images/s, " if rate else ""
        totals = [
            f"{side}s {losses[f'{side}_total']:.3f}"
            for side in ("generator", "discriminator")
            if f"{side}_total" in losses
        ]
        self._bar.set_postfix_str(speed + ", ".join(totals), refresh=False)
        if step % _PRINT_EVERY_STEPS == 0:
            tqdm.write(f"step {step}: " + ", ".join(f"{k} {v:.4f}" for k, v in losses.items()))

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        if self._visible:
            tqdm.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._bar.close()


def print_start(
    config: Config,
    training: dict,
    strategy: tf.distribute.Strategy,
    resumed_from: int | None,
    reproducibility_warnings: list[str],
    checkpoint_bytes: int,
) -> None:
    """Prints what is trained on what, and whether a resumed run is exact.

    Args:
      config: The run's settings.
      training: Name of each stream -> its training images.
      strategy: Where it is computed.
      resumed_from: The step that it resumes from; None for a new run.
      reproducibility_warnings: Why a resumed run may differ in its last bits from one that never
        stopped.
      checkpoint_bytes: Size of one of its checkpoints.
    """
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    domains = [
        f"{config.display_names[stream]}: {len(training[stream])} images of {domain}; "
        for stream, domain in config.domains.items()
    ]
    print(
        f"{''.join(domains)}{config.image_size} pixels, {config.precision}, "
        f"{strategy.num_replicas_in_sync} replica(s) on {device}."
    )
    print(
        f"{config.num_steps:,} steps of {config.batch_size} images. Checkpoints take "
        f"{checkpoint_bytes / 1e6:.0f} MB each; the last {config.keep_checkpoints} and the best "
        "generators are kept."
    )
    if resumed_from is None:
        print(f"Starting a new run in {config.workdir}.")
        return
    print(f"Resuming {config.workdir} from its checkpoint of step {resumed_from}.")
    if reproducibility_warnings:
        print(
            "The last bits may differ from those of an uninterrupted run: "
            f"{'; '.join(reproducibility_warnings)}."
        )
    else:
        print("It continues bit for bit as an uninterrupted run would.")


def print_end(
    config: Config, step: int, usage: str, warnings: list[str], stopped_worse: bool
) -> None:
    """Prints how the run ended, and what to do next.

    Args:
      config: The run's settings.
      step: The step that it is at.
      usage: What the model is for and the command, as `model.usage`, completed.
      warnings: Those that hold.
      stopped_worse: Whether it stopped because its results became worse.
    """
    if stopped_worse and step < config.num_steps:
        print(
            f"Stopped and saved at step {step} of {config.num_steps}, because the results "
            "have become worse (--stop_when_worse). Use the best checkpoint, --checkpoint=best. To "
            "train on nevertheless, run the same command with --nostop_when_worse."
        )
        print_warnings(warnings)
        return
    if step < config.num_steps:
        print(
            f"Stopped and saved at step {step} of {config.num_steps}. Run the same command to "
            "resume."
        )
        return
    print(f"Trained to step {step}.")
    print_results(config, step, usage)
    print_warnings(warnings)


def print_warnings(warnings: list[str]) -> None:
    """Prints the warnings that hold at the end of a run."""
    for text in warnings:
        print(f"WARNING, at the last evaluation: {text}")


def print_results(config: Config, step: int, usage: str) -> None:
    """Prints where the results are, and what to do with them."""
    print(f"  Images:    {config.workdir}/samples/step_{step:06d}.png")
    print(f"  Curves:    tensorboard --logdir={config.workdir}/logs")
    print(f"  {usage}")


def print_rollback(error: NonFiniteLossError, step: int, number: int, most: int) -> None:
    """Prints that the run went back to an earlier checkpoint.

    Args:
      error: Why.
      step: The step of that checkpoint.
      number: How often the run has gone back now.
      most: How often it may.
    """
    print(
        f"Rolled back ({number} of at most {most} times): {str(error).partition('. ')[0]}. "
        f"Training continues from the checkpoint of step {step}, without the batch of step "
        f"{error.step}."
    )


@contextlib.contextmanager
def tolerate_write_errors(
    is_last: bool, progress: Progress, step: int, next_save: int
) -> Iterator[None]:
    """Context manager: reports write errors, and training continues.

    Args:
      is_last: Whether nothing is saved later.
      progress: Where it is reported.
      step: Current step.
      next_save: The step at which the run saves next.

    Raises:
      CheckpointError: in place of that error, if `is_last`.
    """
    try:
        yield
    except (OSError, CheckpointError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0]
        if not isinstance(error, CheckpointError):
            reason = f"Could not write to the workdir at step {step}: {reason}"
        # Of other errors, such as a folder that was removed, the reason says enough.
        is_full = not isinstance(error, OSError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
        if is_last:
            remedy = "Free some space, then run" if is_full else "Run"
            raise CheckpointError(
                f"{reason}. Earlier checkpoints are complete. {remedy} the same command to resume"
            ) from error
        remedy = " Free some space." if is_full else ""
        progress.say(f"{reason}. Training continues and retries at step {next_save}.{remedy}")
