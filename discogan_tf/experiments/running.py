"""Training several runs one after the other, as `train.py` trains one."""

import contextlib
import signal
import sys
from pathlib import Path

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError, DiscoganError


@contextlib.contextmanager
def errors_for_people():
    """Ends the program as `train.py` does: with words on an error, and with 130 on Ctrl-C."""
    try:
        yield
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def train_all(runs: dict[str, Config]) -> None:
    """Trains each run, or what is left of it, after a line with its label.

    Raises:
      SystemExit: 128 + the signal's number, when one asked to stop; the run in hand has saved then.
      ConfigError: if a run has gone on further than its settings say, so that it cannot be compared.
      DataError: if pictures, of which there must be some held out, are missing.
      DiscoganError, OSError: else as `train`.
    """
    from discogan_tf.data.domains import load_domain
    from discogan_tf.training.loop import train

    for config in runs.values():  # Known now rather than after hours.
        for domain in (config.domain_a, config.domain_b):
            load_domain(config.data_dir, domain, "val", config.image_size)
        if Path(config.workdir).parent.joinpath("config.cfg").exists():
            raise ConfigError(
                f"--workdir={Path(config.workdir).parent} holds a run of its own: give another"
            )
    for label, config in runs.items():
        print(f"\n{label}:")
        ending = train(config)
        if ending.stopped_by:
            sys.exit(128 + ending.stopped_by)
        if ending.step != config.num_steps:
            raise ConfigError(
                f"{config.workdir} is at step {ending.step} already, and --num_steps={config.num_steps}: "
                "take that many steps, or another --workdir"
            )
