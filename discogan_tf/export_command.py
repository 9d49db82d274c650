"""Exports a trained run for TensorFlow Serving and other runtimes, or verifies an export.

    python export.py --workdir=runs/bags_shoes --export_dir=exported
    python export.py --verify=exported
    python export.py --verify_url=http://localhost:8501 --export_dir=exported

Exit status: 0 when all was exported or verified, 1 on an error that the message explains.
"""

from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP
from discogan_tf.errors import ConfigError, ExportError
from discogan_tf.startup import exit_on_errors, silence_startup_logs


def _export(values) -> None:
    from discogan_tf.export.bundle import export
    from discogan_tf.runs.workdir import read_config

    if not values.workdir:
        raise ConfigError("give --workdir=FOLDER of a trained run; --help lists the flags")
    config = read_config(Path(values.workdir), values.data_dir)
    export_dir = Path(values.export_dir)
    version = export(config, export_dir, values.checkpoint, values.version, tuple(values.formats))
    print(f"\nExported as version {version}. Next, one of:")
    print(f"  (cd {export_dir} && docker compose up)")
    print(f"  python -m discogan_tf.serving.server --export_dir={export_dir}")


def _verify(export_dir: Path, url: str | None, version: int) -> None:
    """Replays the golden answers of each direction, on its folder or a server.

    Args:
      export_dir: Folder of the export.
      url: Address of a server that serves it; None for the folder.
      version: Number of the version; 0 for the newest of each direction.
    """
    from discogan_tf.export.golden import replay
    from discogan_tf.export.versions import Version, version_folders
    from discogan_tf.serving.client import create_client

    folders = version_folders(export_dir)
    if not folders:
        raise ExportError(f"no export in {export_dir}: looked for DIRECTION/VERSION/saved_model.pb")
    if version:
        folders = {
            direction: [folder for folder in found if int(folder.name) == version]
            for direction, found in folders.items()
        }
        folders = {direction: found for direction, found in folders.items() if found}
        if not folders:
            raise ExportError(f"{export_dir} has no version {version}")
    for direction, (*_, folder) in folders.items():
        if url:
            predict = create_client(url).predictor(direction, int(folder.name))
        else:
            predict = Version(folder).run
        print(f"{direction}, version {folder.name}, {url or folder}")
        print(*(f"  {line}" for line in replay(folder, predict)), sep="\n")
    print("All golden answers match.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        if values.verify or values.verify_url:
            _verify(Path(values.verify or values.export_dir), values.verify_url, values.version)
        else:
            _export(values)


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("workdir", None, "Folder of a trained run.")
    flags.DEFINE_string(
        "export_dir", "exported", "Folder for the export; later versions are added to it."
    )
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_integer(
        "version", 0, "Number of the version; 0 for the next, or to verify the newest.",
        lower_bound=0,
    )  # fmt: skip
    flags.DEFINE_string("data_dir", None, "Where the run's domains are prepared, if they moved.")
    flags.DEFINE_list("formats", ["saved_model"], "Of saved_model (always), onnx, litert.")
    flags.DEFINE_string("verify", None, "Folder of an export to verify by its golden answers.")
    flags.DEFINE_string(
        "verify_url", None, "Server to verify by the golden answers in --export_dir."
    )


if __name__ == "__main__":
    define_flags()
    app.run(main)
