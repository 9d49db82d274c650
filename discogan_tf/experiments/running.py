"""Training of several runs, one after another, as `train.py` trains one."""

import sys
from pathlib import Path

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError, DataError


def train_all(runs: dict[str, Config]) -> None:
    """Trains each run, or what remains of it.

    Args:
      runs: Label of each run, which is printed -> its settings.

    Raises:
      SystemExit: 128 + the signal's number, when one stopped it, after the current run saved.
      ConfigError: if a run has more steps than its settings say, so that it cannot be compared.
      DataError: if images are missing, which must include validation images.
      DiscoganError, OSError: otherwise as `train`.
    """
    from discogan_tf.data.domains import count_images
    from discogan_tf.evaluation.evaluated_run import FEWEST
    from discogan_tf.training.loop import train

    for config in runs.values():  # To fail now rather than after hours.
        for domain in config.domains.values():
            count = count_images(config.data_dir, domain, config.image_size).get("val", 0)
            if count < FEWEST:
                raise DataError(
                    f"{domain} has {count} validation image(s), and measurements need {FEWEST}. "
                    "Prepare it with more, or a larger --val_share"
                )
        if Path(config.workdir).parent.joinpath("config.cfg").exists():
            raise ConfigError(
                f"--workdir={Path(config.workdir).parent} holds a run itself. Give another"
            )
    for label, config in runs.items():
        print(f"\n{label}:")
        result = train(config)
        if result.stopped_by:
            sys.exit(128 + result.stopped_by)
        if result.step != config.num_steps:
            raise ConfigError(
                f"{config.workdir} is already at step {result.step}, beyond "
                f"--num_steps={config.num_steps}. Give that many steps, or another --workdir"
            )
