"""Settings for TensorFlow Serving beside an export, and a Docker Compose file that uses them."""

import re
from pathlib import Path

import tensorflow as tf

# Its version in docker-compose.yml.
_TENSORFLOW = re.compile(
    r"(?<=TF_SERVING_TAG:-)[\d.]+(rc\d+)?(?=})|(?<=made the export, )[\d.]+(rc\d+)?(?=\.\n)"
)
# Ending of the name of a file beside the one that a user has changed.
NEW = ".new"
# Where the export is mounted in the container.
_MOUNT = "/models"

_MODELS = """\
# The newest version of each translation. Outside the container of docker-compose.yml, replace
# {mount} by the full path of this folder.
model_config_list {{
{models}}}
"""

_MODEL = """\
  config {{
    name: "{name}"
    base_path: "{mount}/{name}"
    model_platform: "tensorflow"
  }}
"""

_BATCHING = """\
# Batches requests that arrive together: more images per second, each a little later. Off in
# docker-compose.yml, because a batch fails as a whole: one corrupt image sent to translate_bytes
# would fail the requests beside it. Safe if all clients are yours.
max_batch_size { value: 64 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
"""

_MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

_COMPOSE = """\
# docker compose up
#
# REST on port 8501, gRPC on 8500, of this machine only. New versions are loaded as they appear.
# The environment variable TF_SERVING_TAG chooses another image; it must not be older than the
# TensorFlow that made the export, {tensorflow}.
services:
  tensorflow-serving:
    image: tensorflow/serving:${{TF_SERVING_TAG:-{tensorflow}}}
    ports:
      - "127.0.0.1:8500:8500"
      - "127.0.0.1:8501:8501"
    volumes:
      - .:{mount}:ro
    restart: unless-stopped
    command:
      - --model_config_file={mount}/models.config
      - --monitoring_config_file={mount}/monitoring.config
      # For more images per second, if no client sends corrupt ones (see batching.config):
      # - --enable_batching=true
      # - --batching_parameters_file={mount}/batching.config
"""


def write_server_files(folder: Path, directions: tuple[str, ...], published: Path) -> list[str]:
    """Writes models.config, batching.config, monitoring.config and docker-compose.yml.

    Args:
      folder: Where to.
      directions: Names of all that is served.
      published: Folder whose files these replace. Where a user has changed one, it shall stay: the
        new one gets the ending `NEW`.

    Returns:
      The names of those.
    """
    models = "".join(_MODEL.format(name=name, mount=_MOUNT) for name in directions)
    contents = {
        "models.config": _MODELS.format(models=models, mount=_MOUNT),
        "batching.config": _BATCHING,
        "monitoring.config": _MONITORING,
        "docker-compose.yml": _COMPOSE.format(mount=_MOUNT, tensorflow=tf.__version__),
    }
    changed = [name for name in contents if _was_changed(published / name, contents[name])]
    for name, content in contents.items():
        (folder / (name + NEW if name in changed else name)).write_text(content)
    return changed


def _was_changed(path: Path, content: str) -> bool:
    """Whether a file is another than this project writes, for whatever models and TensorFlow."""
    if not path.is_file():
        return False
    found = path.read_text(errors="replace")

    def without_what_varies(text: str) -> str:
        for name in re.findall(r'name: "([^"]*)"', text):
            text = text.replace(_MODEL.format(name=name, mount=_MOUNT), "")
        return _TENSORFLOW.sub("", text)

    return without_what_varies(found) != without_what_varies(content)
