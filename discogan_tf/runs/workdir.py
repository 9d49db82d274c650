"""The settings of the run in a workdir, and whether another run may continue it."""

import dataclasses
from pathlib import Path

from discogan_tf import flagfile
from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.hardware import resolve_conv_implementation, resolve_precision
from discogan_tf.runs.manifest import complete_steps, write_durably

_CONFIG_NAME, _VOCABULARY_NAME = "config.cfg", "vocabulary.txt"


def read_config(workdir: Path, data_dir: str | None = None) -> Config:
    """The settings of the run in `workdir`, with `workdir` as it is now, if it was moved.

    Args:
      workdir: Folder of the run.
      data_dir: Where its domains are prepared now, if they were moved too.

    Raises:
      ConfigError: if there is no run.
    """
    path = workdir / _CONFIG_NAME
    if not path.is_file():
        raise ConfigError(f"no run in {workdir}: {path} is missing")
    recorded = flagfile.from_flagfile(path.read_text())
    return dataclasses.replace(
        recorded, workdir=str(workdir), data_dir=data_dir or recorded.data_dir
    )


def resolve_config(requested: Config) -> Config:
    """The settings to train with: those requested, with "auto" resolved for this machine.

    A run resolves `--precision=auto` once: on other hardware it resumes with the precision that it
    had. What `--init_from` named was read once.

    Raises:
      ConfigError: if the workdir holds a run that differs in a setting its weights depend on.
    """
    workdir = Path(requested.workdir)
    requested = dataclasses.replace(
        requested, conv_implementation=resolve_conv_implementation(requested.conv_implementation)
    )
    if is_new(workdir):
        return dataclasses.replace(requested, precision=resolve_precision(requested.precision))
    recorded = read_config(workdir)
    requested = dataclasses.replace(requested, init_from=recorded.init_from)
    if requested.precision == "auto":
        requested = dataclasses.replace(requested, precision=recorded.precision)
    differences = flagfile.differing_settings(recorded, requested)
    if differences:
        raise ConfigError(
            f"{workdir} holds a run with other settings:\n  "
            + "\n  ".join(differences)
            + "\nTo resume the run, use its values. To start a new run, give another --workdir"
        )
    return requested


def settings_changed(config: Config) -> bool:
    """Whether the workdir holds other settings, of a run that began but was not trained."""
    path = Path(config.workdir) / _CONFIG_NAME
    return path.is_file() and bool(flagfile.differing_settings(read_config(path.parent), config))


def write_config(config: Config) -> None:
    """Records the settings in the workdir, which it makes."""
    Path(config.workdir).mkdir(parents=True, exist_ok=True)
    write_durably(Path(config.workdir) / _CONFIG_NAME, flagfile.to_flagfile(config))


def remove_config(workdir: Path) -> None:
    """Removes the settings of a run, if they were recorded."""
    (workdir / _CONFIG_NAME).unlink(missing_ok=True)


def is_new(workdir: Path) -> bool:
    """Whether nothing was trained in the folder yet.

    A run saves a checkpoint of step 0 before its settings, and removes its settings before it saves
    that checkpoint again: if there are settings and no checkpoint, one was lost.
    """
    steps = complete_steps(workdir / "checkpoints")
    return steps == [0] if steps else not (workdir / _CONFIG_NAME).exists()


def write_vocabulary(workdir: Path, words: set[str]) -> None:
    """Records the words of a run's training captions, one per line."""
    write_durably(workdir / _VOCABULARY_NAME, "".join(f"{word}\n" for word in sorted(words)))


def read_vocabulary(workdir: Path) -> set[str] | None:
    """The words of a run's training captions; None if they were not recorded."""
    path = workdir / _VOCABULARY_NAME
    return set(path.read_text().split()) if path.is_file() else None
