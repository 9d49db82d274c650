"""Serves an export with TensorFlow Serving's REST API, without TensorFlow Serving.

python -m discogan_tf.serving.server --export_dir=exported --port=8501

GET  /v1/models/NAME[/versions/N]                what is loaded
GET  /v1/models/NAME[/versions/N]/metadata       signatures and their tensors
POST /v1/models/NAME[/versions/N]:predict
GET  /                                           how to use it, for people
POST /v1/match                                   matches in a catalog, with --index
GET  /health                                     200 if every model has a version loaded, else 503
GET  /monitoring/prometheus/metrics
"""

import logging
import socket
import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.startup import exit_on_errors, silence_startup_logs

_MIB = 1 << 20


def main(argv: list[str]) -> None:
    """Serves until Ctrl-C. For `absl.app.run`."""
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    with exit_on_errors():
        silence_startup_logs()
        _serve(flags.FLAGS)


def _serve(values) -> None:
    export_dir = Path(values.export_dir)
    try:
        import uvicorn

        from discogan_tf.serving.app import Limits, create_app
        from discogan_tf.serving.connections import ConnectionLimits, limited_protocol
    except ImportError as error:
        sys.exit(
            f"error: the server needs packages that are not installed ({error}): "
            "pip install -e .[serving]"
        )
    from discogan_tf.export.versions import version_folders
    from discogan_tf.serving.store import Store

    # In place of what absl set up.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    if not version_folders(export_dir):
        sys.exit(f"error: no export in {export_dir}. Run export.py first")
    catalog = None
    if values.index:
        from discogan_tf.matching.catalog import Catalog

        catalog = Catalog(Path(values.index))
    # Before models are loaded, which takes a while.
    listening = _bound_socket(values.host, values.port)
    store = Store(export_dir)
    store.refresh()
    if not store.versions:
        sys.exit("error: no version could be loaded:\n  " + "\n  ".join(store.errors.values()))
    store.start(values.poll_secs)
    limits = Limits(
        values.max_batch_size, values.max_request_mib * _MIB, values.request_timeout_secs
    )
    connections = ConnectionLimits(header_timeout_secs=values.request_timeout_secs)
    config = uvicorn.Config(
        create_app(store, limits, catalog),
        http=limited_protocol(connections),
        access_log=False,
        # Its warnings and errors go the way of this program's own.
        log_config=None,
        log_level="warning",
        # Accepted at once; more could exhaust the file descriptors before the first is closed.
        backlog=128,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    startup = server.startup

    async def announced_startup(sockets=None):
        await startup(sockets)
        logging.info("running on http://%s:%d", *listening.getsockname()[:2])

    server.startup = announced_startup
    try:
        server.run([listening])
    finally:
        store.stop()


def _bound_socket(host: str, port: int) -> socket.socket:
    """A socket for the server, or the end of the program with a message that says why not."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        sys.exit(
            f"error: cannot listen on {host}:{port} ({error}). Another server may be running "
            "there: give another --port"
        )
    return bound


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("export_dir", "exported", "What export.py wrote.")
    flags.DEFINE_string(
        "host", "127.0.0.1", "0.0.0.0 accepts other machines: put a proxy in front of it."
    )
    flags.DEFINE_integer(
        "port", 8501, "Port; 0 selects a free one.", lower_bound=0, upper_bound=65535
    )
    flags.DEFINE_string("index", None, "Index of a catalog, which POST /v1/match searches.")
    flags.DEFINE_integer("max_batch_size", 64, "Images in a request.", lower_bound=1)
    flags.DEFINE_integer("max_request_mib", 32, "Size of a request's body.", lower_bound=1)
    flags.DEFINE_float(
        "request_timeout_secs",
        10.0,
        "Time for the headers of a request to arrive, and for its body.",
        lower_bound=0.0,
    )
    flags.DEFINE_float("poll_secs", 1.0, "Time between checks for new versions.", lower_bound=0.0)


if __name__ == "__main__":
    define_flags()
    app.run(main)
