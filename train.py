"""Trains a translator between two domains: `python train.py --flagfile=bags_shoes.cfg`.

A domain that is not prepared, but whose archive is in --data_dir, is prepared first. Running the
same command again resumes the run. `--help` lists the settings.

Exit status: 0 when trained, 1 on an error that the message explains, 128 + the signal's number when
Ctrl-C or SIGTERM stopped it, after it saved.
"""

import functools
import sys

from absl import app

from discogan_tf import train
from discogan_tf.config import Config
from discogan_tf.flags import define_training_flags


def _prepare(config: Config) -> None:
    from data_prep.errors import PreparationError
    from data_prep.prepare import prepare_missing

    if config.distribute == "multi_worker":
        return  # All workers would prepare the same data at once.
    try:
        for size in {config.image_size, config.load_size} - {0}:
            prepare_missing(config.data_dir, tuple(config.domains.values()), size)
    except PreparationError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    define_training_flags()
    app.run(functools.partial(train.main, prepare=_prepare))
