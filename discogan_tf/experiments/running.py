"""Training several runs one after the other, as `train.py` trains one."""

import contextlib
import signal
import sys

from data_prep.errors import PreparationError
from discogan_tf.config import Config
from discogan_tf.errors import DiscoganError


@contextlib.contextmanager
def errors_for_people():
    """Ends the program as `train.py` does: with words on an error, and with 130 on Ctrl-C."""
    try:
        yield
    except (DiscoganError, PreparationError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def train_all(runs: dict[str, Config]) -> None:
    """Trains each run, or what is left of it, after a line with its label. Archives are prepared first.

    Raises:
      SystemExit: 128 + the signal's number, when one stopped it; the run has saved then.
      DiscoganError, PreparationError, OSError: as `train` and `prepare_missing`.
    """
    from data_prep.prepare import prepare_missing
    from discogan_tf.training.loop import train

    for label, config in runs.items():
        print(f"\n{label}:")
        prepare_missing(config.data_dir, (config.domain_a, config.domain_b), config.image_size)
        if stopped_by := train(config):
            sys.exit(128 + stopped_by)
