"""Tests against TensorFlow Serving: `tensorflow_model_server` on PATH, or TF_SERVING_URL.

A server at TF_SERVING_URL must serve the export in TF_SERVING_EXPORT_DIR. Without either they are
skipped.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from discogan_tf.errors import ServingError
from discogan_tf.export import golden
from discogan_tf.export.versions import version_folders
from discogan_tf.serving.client import create_client

_BINARY, _URL = shutil.which("tensorflow_model_server"), os.environ.get("TF_SERVING_URL")

pytestmark = pytest.mark.skipif(
    not (_BINARY or _URL),
    reason="no tensorflow_model_server on PATH, and TF_SERVING_URL is not set",
)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def serving(exported, tmp_path_factory):
    """(export's folder, REST address, gRPC address or None) of a server that is ready."""
    if _URL:
        yield Path(os.environ["TF_SERVING_EXPORT_DIR"]), _URL, None
        return
    folder = tmp_path_factory.mktemp("tf_serving")
    models = folder / "models.config"
    models.write_text(
        (exported / "models.config").read_text().replace('"/models/', f'"{exported}/')
    )
    rest, grpc = _free_port(), _free_port()
    command = [
        _BINARY, f"--port={grpc}", f"--rest_api_port={rest}", f"--model_config_file={models}",
        f"--monitoring_config_file={exported / 'monitoring.config'}",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            try:
                if requests.get(f"http://127.0.0.1:{rest}/v1/models/shoes2handbags", timeout=5).ok:
                    break
            except requests.ConnectionError:
                pass
            time.sleep(0.5)
        yield exported, f"http://127.0.0.1:{rest}", f"grpc://127.0.0.1:{grpc}"
    finally:
        process.terminate()
        process.wait()


def test_golden_answers(serving):
    export_dir, *urls = serving
    for url in filter(None, urls):
        for direction, (*_, newest) in version_folders(export_dir).items():
            assert golden.replay(newest, create_client(url).predictor(direction, int(newest.name)))


def test_errors(serving):
    export_dir, url, _ = serving
    direction = next(iter(version_folders(export_dir)))
    client = create_client(url)
    with pytest.raises(ServingError, match="not a JPEG"):
        client.translate(direction, [b"text"])
    with pytest.raises(ServingError, match="model"):
        client.translate("bags2boots", [b"text"])
    with pytest.raises(ServingError, match="no version 999"):
        client.translate(direction, [b"text"], version=999)
