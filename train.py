"""Trains a translator between two domains: `python train.py --flagfile=bags_shoes.cfg`.

Running the same command again resumes the run. `--help` lists the settings.

Exit status: 0 when trained, 1 on an error that the message explains, 128 + the signal's number when
Ctrl-C or SIGTERM stopped it; it has saved then.
"""

import signal
import sys

from absl import app

from discogan_tf.errors import DiscoganError
from discogan_tf.flags import config_from_flags, define_training_flags
from discogan_tf.quiet import quiet_libraries


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    quiet_libraries()
    # Imported only now, so that --help need not wait for TensorFlow.
    from data_prep.errors import PreparationError
    from data_prep.prepare import prepare_missing

    try:
        config = config_from_flags()
        if config.distribute != "multi_worker":  # Several would prepare the same data at once.
            prepare_missing(config.data_dir, (config.domain_a, config.domain_b), config.image_size)
        from discogan_tf.training.loop import train

        ending = train(config)
    except (DiscoganError, PreparationError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # While loading; training itself stops and saves on Ctrl-C.
        sys.exit(128 + signal.SIGINT)
    if ending.stopped_by and ending.step < config.num_steps:
        sys.exit(128 + ending.stopped_by)


if __name__ == "__main__":
    define_training_flags()
    app.run(main)
