"""Trains a translator between two domains: `python train.py --flagfile=bags_shoes.cfg`.

A domain that is not prepared, but whose archive is in --data_dir, is prepared first. Running the
same command again resumes the run. `--help` lists the settings.

Exit status: 0 when trained, 1 on an error that the message explains, 128 + the signal's number when
Ctrl-C or SIGTERM stopped it, after it saved.
"""

from absl import app

import discogan
from discogan_tf.flags import define_training_flags

if __name__ == "__main__":
    define_training_flags()
    app.run(discogan.train)
