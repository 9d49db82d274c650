"""Starts a run from the networks of another."""

from pathlib import Path

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.models import create_inference_model
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.workdir import read_config


def initialize(config: Config, models: list) -> None:
    """Gives models what they do not train themselves, from the run that `config.init_from` names.

    Args:
      config: The new run's settings.
      models: Models of the run, each with a method `initialize`.

    Raises:
      ConfigError: if no run is named, or it is another model or has other sizes.
      CheckpointError: if it has no checkpoint.
    """
    if not config.init_from:
        raise ConfigError(
            f"--model={config.model} starts from a trained run: give --init_from=WORKDIR, of the "
            "text encoder for Stage I, of Stage I for Stage II"
        )
    workdir = Path(config.init_from)
    trained = create_inference_model(read_config(workdir))
    step = restore_generators(workdir, trained)
    for model in models:
        model.initialize(trained)
    print(f"Starting from {workdir}, step {step}.")
