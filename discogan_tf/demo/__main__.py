"""A page to try a trained run or an export: drop an image, see its translation.

    python -m discogan_tf.demo --workdir=runs/bags_shoes
    python -m discogan_tf.demo --export_dir=exported

The page makes no request to other machines. Exit status: 1 on an error that the message explains.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

from absl import app, flags

from discogan_tf.errors import ConfigError
from discogan_tf.startup import exit_on_errors, silence_startup_logs


def _source(values):
    from discogan_tf.demo.sources import ExportSource, RunSource

    if bool(values.workdir) == bool(values.export_dir):
        raise ConfigError("give --workdir=FOLDER of a run, or --export_dir=FOLDER of an export")
    if values.workdir:
        return RunSource(Path(values.workdir), values.data_dir)
    return ExportSource(Path(values.export_dir))


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # Uploads and results, which Gradio would leave behind.
    with exit_on_errors(), tempfile.TemporaryDirectory(prefix="discogan_demo_") as folder:
        silence_startup_logs()
        # Gradio would report its use, and look for a newer version.
        os.environ.update(
            GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1"
        )
        _serve(flags.FLAGS, Path(folder))


def _serve(values, folder: Path) -> None:
    try:
        from discogan_tf.demo.page import create_page, serve
    except ImportError as error:
        sys.exit(f"error: the page needs Gradio ({error}): pip install -e .[demo]")
    catalog = None
    if values.index:
        from discogan_tf.matching.catalog import Catalog

        catalog = Catalog(Path(values.index))
    page = create_page(_source(values), folder, catalog)
    try:
        serve(page, values.host, values.port)
    except OSError:  # Gradio's message names ways that this command does not have.
        sys.exit(
            f"error: cannot listen on {values.host}:{values.port}. Another program may be using "
            "it, or it is no address of this machine: give another --port or --host"
        )


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "Folder of a trained run.")
    flags.DEFINE_string("export_dir", None, "Folder of an export, instead of a run.")
    flags.DEFINE_string("data_dir", None, "Where the run's domains are prepared, if they moved.")
    flags.DEFINE_string("index", None, "Folder of an index, whose matches are shown too.")
    flags.DEFINE_string("host", "127.0.0.1", "0.0.0.0 accepts other machines.")
    flags.DEFINE_integer("port", 7860, "Port of the page.", lower_bound=1, upper_bound=65535)


if __name__ == "__main__":
    define_flags()
    app.run(main)
