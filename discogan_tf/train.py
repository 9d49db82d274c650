"""Trains on prepared domains: what `train.py` runs, and each worker of `launch.py`.

Exit status: 0 when trained, 1 on an error that the message explains, 128 + the signal's number when
Ctrl-C or SIGTERM stopped it, after it saved.
"""

import sys
from collections.abc import Callable

from absl import app

from discogan_tf.config import Config
from discogan_tf.flags import config_from_flags, define_training_flags
from discogan_tf.startup import exit_on_errors, silence_startup_logs


def main(argv: list[str], prepare: Callable[[Config], None] | None = None) -> None:
    """Trains with the settings of the flags.

    Args:
      argv: The command line without its flags.
      prepare: Prepares what the run needs beforehand.
    """
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    with exit_on_errors():  # Ctrl-C while loading: training itself stops and saves.
        silence_startup_logs()
        config = config_from_flags()
        if prepare:
            prepare(config)
        # Imported only now, so that --help need not wait for TensorFlow.
        from discogan_tf.training.loop import train

        result = train(config)
    if result.stopped_by and result.step < config.num_steps:
        sys.exit(128 + result.stopped_by)


if __name__ == "__main__":
    define_training_flags()
    app.run(main)
