"""A client of TensorFlow Serving's REST interface."""

import base64
import binascii
import json
import queue
import re
import threading
import time

import numpy as np
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

from discogan_tf.errors import RefusedError, ServingError
from discogan_tf.serving.error_messages import plain_reason
from discogan_tf.serving.prediction_client import PredictionClient

# The server is starting, overloaded, or behind a proxy that is: worth another try.
_RETRIED_STATUS = (429, 502, 503, 504)
# The request is at fault: others may succeed.
_OF_THE_REQUEST = (400, 413)
# A request of 64 images of 256 pixels is answered with less.
_MAX_ANSWER_BYTES = 64 << 20
_PIECE_BYTES = 1 << 18
_MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
# The output of each exported signature that has only one.
_ONLY_OUTPUT = {
    "serving_default": "translated",
    "translate_bytes": "image_bytes",
    "generate_bytes": "image_bytes",
}


class RestClient(PredictionClient):
    """Speaks TensorFlow Serving's REST interface. Arguments as for `client.create_client`."""

    def __init__(self, url: str, timeout_secs: float, retries: int):
        self._url = url.rstrip("/")
        self._timeout_secs, self._retries = timeout_secs, retries
        self._session = requests.Session()
        # A prediction changes nothing on the server, so it can be repeated; but not one that timed
        # out, because it would again.
        retry = Retry(
            retries,
            read=False,
            backoff_factor=0.2,
            status_forcelist=_RETRIED_STATUS,
            allowed_methods=None,
            raise_on_status=False,
            # The server could request any pause.
            respect_retry_after_header=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def predict(
        self, name: str, signature: str, inputs: dict[str, np.ndarray], version: int | None = None
    ) -> dict[str, np.ndarray]:
        """As `PredictionClient.predict`."""
        model = f"/v1/models/{name}" + (f"/versions/{version}" if version is not None else "")
        body = {
            "signature_name": signature,
            "inputs": {key: _to_json(value) for key, value in inputs.items()},
        }
        status, answer = self._send("POST", f"{model}:predict", body)
        if status == 404:
            raise ServingError(self._why_not_found(name, version, _reason(answer)))
        if status != 200:
            kind = RefusedError if status in _OF_THE_REQUEST else ServingError
            raise kind(f"{self._url} answered {status}: {_reason(answer)}")
        try:
            outputs = _parsed(answer)["outputs"]
            # The value of an only output comes without its name.
            if not isinstance(outputs, dict):
                outputs = {_ONLY_OUTPUT.get(signature, signature): outputs}
            return {key: _from_json(value) for key, value in outputs.items()}
        except (ValueError, KeyError, TypeError, OverflowError, binascii.Error) as error:
            raise ServingError(
                f"{self._url} does not serve translations: it answered something else"
            ) from error

    def models(self) -> dict[str, list[str]]:
        """Name of each model that the server of this project has loaded -> its signatures.

        Raises:
          ServingError: if there is no server, or it is TensorFlow Serving, which cannot be asked.
        """
        try:
            status, answer = self._send("GET", "/health")
            names = list(_parsed(answer)["versions"].items()) if status != 404 else []
            # They become names of folders and of paths.
            names = sorted(name for name, _ in names if re.fullmatch(_MODEL_NAME, name))
            signatures = {}
            for name in names:
                _, answer = self._send("GET", f"/v1/models/{name}/metadata")
                signatures[name] = sorted(
                    _parsed(answer)["metadata"]["signature_def"]["signature_def"]
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServingError(f"{self._url} does not say what it serves") from error
        if not signatures:
            raise ServingError(f"{self._url} does not say what it serves")
        return signatures

    def _send(self, method: str, path: str, body: dict | None = None) -> tuple[int, bytes]:
        """Status and body of the answer.

        The time limit of `requests` is that of each read, and a server may send a byte at a time.
        A thread that can be left behind limits the whole.
        """
        results = queue.Queue()

        def run():
            try:
                results.put(self._exchange(method, path, body))
            except Exception as error:
                results.put(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            # Each try, with the pause before it.
            result = results.get(timeout=(self._timeout_secs + 5) * (1 + self._retries))
        except queue.Empty as error:
            raise self._too_slow() from error
        if isinstance(result, Exception):
            raise result
        return result

    def _exchange(self, method: str, path: str, body: dict | None) -> tuple[int, bytes]:
        try:
            with self._session.request(
                method,
                self._url + path,
                json=body,
                timeout=self._timeout_secs,
                stream=True,
                allow_redirects=False,
                headers={"Accept-Encoding": "identity"},
            ) as answer:
                if answer.is_redirect:
                    target = plain_reason(answer.headers["location"])
                    raise ServingError(
                        f"{self._url} redirects to {target}, which is not followed: give that as "
                        "--url if you trust it"
                    )
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise ServingError(f"{self._url} compresses its answers, which it must not")
                deadline = time.monotonic() + self._timeout_secs
                content = bytearray()
                # Each piece may come slowly; `_send` limits their sum.
                while piece := answer.raw.read(_PIECE_BYTES, decode_content=False):
                    content += piece
                    if len(content) > _MAX_ANSWER_BYTES:
                        raise ServingError(
                            f"{self._url} answers with more than {_MAX_ANSWER_BYTES >> 20} MiB: "
                            "send fewer images at once"
                        )
                    if time.monotonic() > deadline:
                        raise self._too_slow()
                return answer.status_code, bytes(content)
        except (requests.Timeout, ReadTimeoutError) as error:
            raise self._too_slow() from error
        except requests.ConnectionError as error:
            raise ServingError(f"no server at {self._url}: is it running? ({error})") from error
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise ServingError(f"{self._url}: {plain_reason(str(error))}") from error

    def _too_slow(self) -> ServingError:
        return ServingError(
            f"{self._url} did not answer within {self._timeout_secs:g} s. Give a larger "
            "--timeout_secs"
        )

    def _why_not_found(self, name: str, version: int | None, reason: str) -> str:
        status, answer = self._send("GET", f"/v1/models/{name}")
        if status != 200:
            return f"{self._url} serves no model {name}: {reason}"
        try:
            available = [
                plain_reason(str(entry["version"]))
                for entry in _parsed(answer)["model_version_status"]
                if entry["state"] == "AVAILABLE"
            ]
        except (ValueError, KeyError, TypeError):
            return f"{self._url} serves no version {version} of {name}: {reason}"
        return (
            f"{self._url} serves no version {version} of {name}; it has "
            f"{', '.join(available) or 'none ready'}"
        )


def _to_json(value: np.ndarray):
    if value.dtype == object:
        return [{"b64": base64.b64encode(content).decode()} for content in value]
    return value.tolist()


def _from_json(value) -> np.ndarray:
    """An output: numbers, or bytes in base64.

    Raises:
      KeyError, TypeError, ValueError, binascii.Error: if it is neither.
    """
    if not isinstance(value, list):
        raise TypeError("an output is a list")
    if value and isinstance(value[0], dict):
        return np.array(
            [base64.b64decode(content["b64"], validate=True) for content in value], object
        )
    return np.array(value, np.float32)


def _parsed(answer: bytes):
    """The JSON of an answer.

    Raises:
      ValueError: if it is none.
    """
    try:
        return json.loads(answer)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def _reason(answer: bytes) -> str:
    try:
        return plain_reason(str(_parsed(answer)["error"]))
    except (ValueError, KeyError, TypeError):
        return plain_reason(answer.decode(errors="replace"))
