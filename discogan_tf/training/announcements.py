"""What a run says in plain words when it begins, ends, or something went wrong."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.errors import CheckpointError, NonFiniteLossError
from discogan_tf.training.health import MOST_ROLLBACKS
from discogan_tf.training.progress import Progress


def print_opening(
    config: Config, training: dict, strategy, resumed_from: int | None, doubts: list[str]
) -> None:
    """What is trained on what, whether it goes on from somewhere, and whether that can be seen later.

    Args:
      config: The run's settings.
      training: "a", "b" -> training pictures.
      strategy: Where it is computed.
      resumed_from: The step that it goes on from; None for a new run.
      doubts: Why a resumed run may differ in last bits from one that never stopped.
    """
    print(
        f"{config.name_a}: {len(training['a'])} pictures of {config.domain_a}; "
        f"{config.name_b}: {len(training['b'])} pictures of {config.domain_b}; "
        f"{config.image_size} pixels, {config.precision}, "
        f"{strategy.num_replicas_in_sync} replica(s) on {_device_kind()}."
    )
    if resumed_from is not None:
        print(f"Resuming {config.workdir} from its checkpoint of step {resumed_from}.")
        if doubts:
            print(f"Last bits may differ from those of a run that never stopped: {'; '.join(doubts)}.")
        else:
            print("It goes on bit for bit as if it had never stopped.")
    else:
        print(f"Starting a new run in {config.workdir}.")


def _device_kind() -> str:
    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def print_closing(config: Config, step: int) -> None:
    """How it ended, and what to do next."""
    if step < config.num_steps:
        print(f"Stopped and saved at step {step} of {config.num_steps}. The same command goes on.")
        return
    print(f"Trained to step {step}.")
    print_results(config, step)


def print_results(config: Config, step: int) -> None:
    """Where to look."""
    print(
        f"  Pictures:  {config.workdir}/samples/step_{step:06d}.png\n"
        f"  Curves:    tensorboard --logdir={config.workdir}/logs\n"
        f"  Translate: python -m discogan_tf.translate --workdir={config.workdir} "
        f"--direction={next(iter(config.directions))} --images=DIR --output_dir=DIR"
    )


def print_rollback(error: NonFiniteLossError, step: int, number: int) -> None:
    """That a run went back."""
    print(
        f"Rolled back ({number} of at most {MOST_ROLLBACKS} times): {str(error).partition('. ')[0]}. Going "
        f"on from the checkpoint of step {step}, without the batch of step {error.step}."
    )


@contextlib.contextmanager
def told_unless(last: bool, progress: Progress, step: int) -> Iterator[None]:
    """Within it a disk that takes nothing is told, and training goes on; unless this was the last chance.

    Raises:
      CheckpointError: where `last`.
    """
    try:
        yield
    except (OSError, CheckpointError, tf.errors.OpError) as error:
        words = f"step {step}: {str(error).partition(chr(10))[0]}"
        if last:
            raise CheckpointError(
                f"{words}. The checkpoints before are whole: the same command goes on."
            ) from error
        progress.say(f"{words}. Training goes on and saves again later; make room meanwhile.")
