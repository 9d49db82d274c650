"""A client of TensorFlow Serving's REST interface."""

import base64

import numpy as np
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from discogan_tf.errors import ServingError
from discogan_tf.serving.error_messages import plain_reason
from discogan_tf.serving.prediction_client import PredictionClient

# The server is starting, overloaded, or behind a proxy that is: worth another try.
_RETRIED_STATUS = (429, 502, 503, 504)
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
        self._timeout_secs = timeout_secs
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
        answer = self._send("POST", f"{model}:predict", body)
        if answer.status_code == 404:
            raise ServingError(self._why_not_found(name, version, _reason(answer)))
        if answer.status_code != 200:
            raise ServingError(f"{self._url} answered {answer.status_code}: {_reason(answer)}")
        try:
            outputs = answer.json()["outputs"]
        except (ValueError, KeyError, TypeError) as error:
            raise ServingError(
                f"{self._url} does not serve translations: it answered something else"
            ) from error
        # The value of an only output comes without its name.
        if not isinstance(outputs, dict):
            outputs = {_ONLY_OUTPUT.get(signature, signature): outputs}
        return {key: _from_json(value) for key, value in outputs.items()}

    def _send(self, method: str, path: str, body: dict | None = None) -> requests.Response:
        try:
            return self._session.request(
                method, self._url + path, json=body, timeout=self._timeout_secs
            )
        except requests.Timeout as error:
            raise ServingError(
                f"{self._url} did not answer within {self._timeout_secs:g} s. Give a larger "
                "--timeout_secs"
            ) from error
        except requests.ConnectionError as error:
            raise ServingError(f"no server at {self._url}: is it running? ({error})") from error
        except requests.RequestException as error:
            raise ServingError(f"{self._url}: {error}") from error

    def _why_not_found(self, name: str, version: int | None, reason: str) -> str:
        status = self._send("GET", f"/v1/models/{name}")
        if status.status_code != 200:
            return f"{self._url} serves no model {name}: {reason}"
        available = [
            entry["version"]
            for entry in status.json()["model_version_status"]
            if entry["state"] == "AVAILABLE"
        ]
        return (
            f"{self._url} serves no version {version} of {name}; it has "
            f"{', '.join(available) or 'none ready'}"
        )


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
