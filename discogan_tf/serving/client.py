"""A client of exported translators, for TensorFlow Serving and for this project's own server.

    python -m discogan_tf.serving.client --url=http://localhost:8501 --direction=handbags2shoes \\
        bag.jpg -o shoe.png

`--url=grpc://localhost:8500` speaks gRPC. Exit status: 0 when every picture was translated, 1 on an
error that the message explains.
"""

import argparse
import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import requests
from PIL import Image, ImageOps
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from discogan_tf.errors import ServingError
from discogan_tf.quiet import quiet_libraries
from discogan_tf.serving.reasons import plain_reason

_BYTES_SUFFIX = "_bytes"
# Of EXIF: which side is up; 1 is as it is.
_ORIENTATION = 0x0112
# Worth another try: the server is starting, overloaded, or behind a proxy that is.
_RETRIED_STATUS = (429, 502, 503, 504)


def create_client(url: str, timeout_secs: float = 30.0, retries: int = 3):
    """A `RestClient`, or for grpc://HOST:PORT a `GrpcClient`, which has the same methods.

    Args:
      url: Address of the server.
      timeout_secs: How long the server may be silent.
      retries: How often to try again, with growing pauses, what may pass: no connection, overload.

    Raises:
      ServingError: if `url` is none, or gRPC's packages are not installed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ServingError(f"--url={url}: {error}") from error
    if timeout_secs <= 0 or retries < 0:
        raise ServingError("--timeout_secs must be greater than 0, --retries 0 or greater")
    if parts.scheme == "grpc" and parts.netloc:
        quiet_libraries()
        from discogan_tf.serving.grpc_client import GrpcClient

        return GrpcClient(parts.netloc, timeout_secs, retries)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ServingError(f"--url={url}: must look like http://localhost:8501 or grpc://localhost:8500")
    return RestClient(url, timeout_secs, retries)


class Client:
    """What both clients have in common; `predict` is theirs."""

    def asker(self, name: str, version: int | None = None) -> Callable:
        """A function of a signature's name and inputs, as `golden.replay` wants it."""
        return lambda signature, inputs: self.predict(name, signature, inputs, version)

    def translate(self, direction: str, files: list[bytes], version: int | None = None) -> list[bytes]:
        """Picture files to PNG files, in one request; arguments and errors as of `predict`."""
        inputs = {"image_bytes": np.array(files, object)}
        return list(self.predict(direction, "translate_bytes", inputs, version)["image_bytes"])


class RestClient(Client):
    """Speaks TensorFlow Serving's REST interface; arguments as of `create_client`."""

    def __init__(self, url: str, timeout_secs: float, retries: int):
        self._url = url.rstrip("/")
        self._timeout_secs = timeout_secs
        self._session = requests.Session()
        # A prediction changes nothing on the server, so it may be asked for twice; but what took too
        # long once would do so again.
        retry = Retry(
            retries,
            read=False,
            backoff_factor=0.2,
            status_forcelist=_RETRIED_STATUS,
            allowed_methods=None,
            raise_on_status=False,
            # It could ask for any pause.
            respect_retry_after_header=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def predict(
        self, name: str, signature: str, inputs: dict[str, np.ndarray], version: int | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          name: Name of the model: a direction.
          signature: Name of the signature.
          inputs: Name -> float32, or objects of type bytes where the name ends in `_bytes`; the first
            axis is that of the batch.
          version: Which version; None for the newest.

        Returns:
          Name of each output -> value, likewise.

        Raises:
          ServingError: if there is no answer in time, no such model or version, or the request is bad.
        """
        model = f"/v1/models/{name}" + (f"/versions/{version}" if version is not None else "")
        body = {
            "signature_name": signature,
            "inputs": {key: _to_json(value) for key, value in inputs.items()},
        }
        answer = self._send("POST", f"{model}:predict", body)
        if answer.status_code == 404:
            raise ServingError(self._why_not_found(name, version, _reason(answer)))
        if answer.status_code != 200:
            raise ServingError(f"{self._url} answered {answer.status_code}: {_reason(answer)}")
        try:
            outputs = answer.json()["outputs"]
        except (ValueError, KeyError, TypeError) as error:
            raise ServingError(f"{self._url} is no server of translators: it answered otherwise") from error
        # A signature with one output gives its value alone; which name it has, the request tells.
        if not isinstance(outputs, dict):
            outputs = {_ONLY_OUTPUT.get(signature, signature): outputs}
        return {key: _from_json(value) for key, value in outputs.items()}

    def _send(self, method: str, path: str, body: dict | None = None) -> requests.Response:
        try:
            return self._session.request(method, self._url + path, json=body, timeout=self._timeout_secs)
        except requests.Timeout as error:
            raise ServingError(
                f"{self._url} did not answer within {self._timeout_secs:g} s: try a larger --timeout_secs"
            ) from error
        except requests.ConnectionError as error:
            raise ServingError(
                f"no server answers at {self._url}: is it running there? ({error})"
            ) from error
        except requests.RequestException as error:
            raise ServingError(f"{self._url}: {error}") from error

    def _why_not_found(self, name: str, version: int | None, reason: str) -> str:
        status = self._send("GET", f"/v1/models/{name}")
        if status.status_code != 200:
            return f"{self._url} serves no model {name}: {reason}"
        there = [
            entry["version"]
            for entry in status.json()["model_version_status"]
            if entry["state"] == "AVAILABLE"
        ]
        return (
            f"{self._url} serves no version {version} of {name}; it has {', '.join(there) or 'none ready'}"
        )


# Of the signatures that an export has, those with one output.
_ONLY_OUTPUT = {"serving_default": "translated", "translate_bytes": "image_bytes"}


def read_upright(path: Path) -> bytes:
    """A picture's file as it is, or turned where its EXIF data says that it lies on its side.

    Raises:
      OSError: if the file cannot be read. What is no picture is given back: the server will say so.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.getexif().get(_ORIENTATION, 1) == 1:
                return content
            upright = ImageOps.exif_transpose(picture)
            file = io.BytesIO()
            if picture.format == "JPEG":  # A PNG of a photo is several times as large.
                upright.convert("RGB").save(file, "JPEG", quality=95)
            else:
                upright.save(file, "PNG")
            return file.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return content


def _to_json(value: np.ndarray):
    if value.dtype == object:
        return [{"b64": base64.b64encode(content).decode()} for content in value]
    return value.tolist()


def _from_json(value) -> np.ndarray:
    if value and isinstance(value[0], dict):
        return np.array([base64.b64decode(content["b64"]) for content in value], object)
    return np.array(value, np.float32)


def _reason(answer: requests.Response) -> str:
    try:
        return plain_reason(str(answer.json()["error"]))
    except (ValueError, KeyError, TypeError):
        return answer.text[:500] or answer.reason


def _targets(pictures: list[Path], output: Path) -> list[Path]:
    """The PNG to write for each picture: `output` itself for one, files within it for several.

    Raises:
      ServingError: if two pictures would have one target, or a target is a picture given.
    """
    if len(pictures) == 1 and not output.is_dir():
        targets = [output]
    else:
        targets = [output / f"{picture.stem}.png" for picture in pictures]
    if len(set(targets)) < len(targets):
        raise ServingError("two pictures of one name: translate them one by one")
    if overwritten := {path.resolve() for path in targets} & {path.resolve() for path in pictures}:
        raise ServingError(f"{overwritten.pop()} would be overwritten: give another -o")
    return targets


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.serving.client", description=__doc__.splitlines()[0]
    )
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("translated.png"), help="PNG, or folder for several"
    )
    parser.add_argument("--url", default="http://localhost:8501", help="http://..., or grpc://HOST:PORT")
    parser.add_argument("--direction", required=True, help="for example handbags2shoes")
    parser.add_argument("--version", type=int, help="of the export; by default the newest")
    parser.add_argument("--timeout_secs", type=float, default=30.0)
    parser.add_argument("--retries", type=int, default=3)
    values = parser.parse_args()
    try:
        targets = _targets(values.pictures, values.output)
        client = create_client(values.url, values.timeout_secs, values.retries)
        for picture, target in zip(values.pictures, targets, strict=True):
            (translation,) = client.translate(values.direction, [read_upright(picture)], values.version)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(translation)
            print(f"{picture} -> {target}")
    except (ServingError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
