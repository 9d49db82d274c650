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

import argparse
import logging
import signal
import socket
import sys
from pathlib import Path

from discogan_tf.startup import silence_startup_logs

_MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.serving.server", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--export_dir", type=Path, default=Path("exported"), help="what export.py wrote"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="0.0.0.0 accepts other machines: put a proxy in front of it",
    )
    parser.add_argument("--port", type=int, default=8501, help="port; 0 selects a free one")
    parser.add_argument("--index", type=Path, help="index of a catalog, searched by POST /v1/match")
    parser.add_argument("--max_batch_size", type=int, default=64, help="images in a request")
    parser.add_argument("--max_request_mib", type=int, default=32, help="size of a request's body")
    parser.add_argument(
        "--request_timeout_secs",
        type=float,
        default=10.0,
        help="time for the headers of a request to arrive, and for its body",
    )
    parser.add_argument(
        "--poll_secs", type=float, default=1.0, help="time between checks for new versions"
    )
    values = parser.parse_args()
    silence_startup_logs()
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

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if not version_folders(values.export_dir):
        sys.exit(f"error: no export in {values.export_dir}. Run export.py first")
    catalog = None
    if values.index:
        from discogan_tf.errors import DiscoganError
        from discogan_tf.matching.catalog import Catalog

        try:
            catalog = Catalog(values.index)
        except DiscoganError as error:
            sys.exit(f"error: {error}")
    # Before models are loaded, which takes a while.
    listening = _bound_socket(values.host, values.port)
    store = Store(values.export_dir)
    try:
        store.refresh()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    if not store.versions:
        sys.exit("error: no version could be loaded:\n  " + "\n  ".join(store.errors.values()))
    store.start(values.poll_secs)
    limits = Limits(
        values.max_batch_size, values.max_request_mib * _MIB, values.request_timeout_secs
    )
    config = uvicorn.Config(
        create_app(store, limits, catalog),
        http=limited_protocol(ConnectionLimits(header_timeout_secs=values.request_timeout_secs)),
        access_log=False,
        limit_concurrency=256,
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
    server.run([listening])
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


if __name__ == "__main__":
    main()
