"""The settings of the run in a folder, and whether another may go on in it."""

import dataclasses
from pathlib import Path

from discogan_tf import config as configs
from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.sealed import sealed_steps, write_durably
from discogan_tf.training import precision

_CONFIG_NAME = "config.cfg"


def read_config(workdir: Path, data_dir: str | None = None) -> Config:
    """The settings of the run in `workdir`, with `workdir` itself put right if it was moved.

    Args:
      workdir: Folder of the run.
      data_dir: Where its domains are prepared now, if they moved too.

    Raises:
      ConfigError: if there is no run there.
    """
    path = workdir / _CONFIG_NAME
    if not path.is_file():
        raise ConfigError(f"no run in {workdir}: {path} is missing")
    recorded = configs.from_flagfile(path.read_text())
    return dataclasses.replace(recorded, workdir=str(workdir), data_dir=data_dir or recorded.data_dir)


def settle_config(wanted: Config) -> Config:
    """The settings to train with: those wanted, with the precision decided.

    A run decides `--precision=auto` once: resumed on other hardware it stays as it was.

    Raises:
      ConfigError: if the workdir holds a run that differs in a setting its weights depend on.
    """
    workdir = Path(wanted.workdir)
    if is_new(workdir):
        return dataclasses.replace(wanted, precision=precision.resolve(wanted.precision))
    recorded = read_config(workdir)
    if wanted.precision == "auto":
        wanted = dataclasses.replace(wanted, precision=recorded.precision)
    differences = configs.differing_settings(recorded, wanted)
    if differences:
        raise ConfigError(
            f"{workdir} holds a run with other settings:\n  "
            + "\n  ".join(differences)
            + "\nGive these as the run has them to resume it, or another --workdir for a new run."
        )
    return wanted


def was_begun_otherwise(config: Config) -> bool:
    """Whether the workdir holds settings of a run that was begun but not trained, and differs."""
    path = Path(config.workdir) / _CONFIG_NAME
    return path.is_file() and bool(configs.differing_settings(read_config(path.parent), config))


def write_config(config: Config) -> None:
    """Records the settings in the workdir, which it makes."""
    Path(config.workdir).mkdir(parents=True, exist_ok=True)
    write_durably(Path(config.workdir) / _CONFIG_NAME, configs.to_flagfile(config))


def is_new(workdir: Path) -> bool:
    """Whether nothing was trained in the folder yet.

    A run saves a checkpoint of step 0 before its settings: where there are settings and no checkpoint,
    one was lost.
    """
    folder = workdir / "checkpoints"
    steps = sealed_steps(folder)
    if steps:
        return steps == [0]
    return not (workdir / _CONFIG_NAME).exists() and not (folder / "checkpoint").exists()
