"""A client of TensorFlow Serving's gRPC interface; needs the packages of the extra `serving`."""

import json

import numpy as np

from discogan_tf.errors import RefusedError, ServingError
from discogan_tf.serving.error_messages import plain_reason
from discogan_tf.serving.prediction_client import PredictionClient

try:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
except ImportError as error:
    raise ServingError(
        f"gRPC needs packages that are not installed ({error}): pip install -e .[serving]"
    ) from error

# A batch of 64 images of 256 pixels, with their translations, is 100 MB.
_MAX_MESSAGE_BYTES = 256 << 20


class GrpcClient(PredictionClient):
    """Speaks TensorFlow Serving's gRPC interface.

    Args:
      address: HOST:PORT.
      timeout_secs, retries: As for `client.create_client`.
    """

    def __init__(self, address: str, timeout_secs: float, retries: int):
        self._address, self._timeout_secs = address, timeout_secs
        policy = {
            "maxAttempts": min(retries + 1, 5),  # gRPC allows no more than 5.
            "initialBackoff": "0.2s",
            "maxBackoff": "5s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        options = [("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)]
        if retries > 0:
            config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
            options.append(("grpc.service_config", json.dumps(config)))
        channel = grpc.insecure_channel(address, options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(
        self, name: str, signature: str, inputs: dict[str, np.ndarray], version: int | None = None
    ) -> dict[str, np.ndarray]:
        """As `PredictionClient.predict`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        for key, value in inputs.items():
            content = list(value) if value.dtype == object else value
            request.inputs[key].CopyFrom(tf.make_tensor_proto(content))
        try:
            answer = self._service.Predict(request, timeout=self._timeout_secs)
        except grpc.RpcError as error:
            is_refused = error.code() == grpc.StatusCode.INVALID_ARGUMENT
            kind = RefusedError if is_refused else ServingError
            raise kind(self._explain(error)) from error
        return {key: tf.make_ndarray(value) for key, value in answer.outputs.items()}

    def _explain(self, error: grpc.RpcError) -> str:
        code, details = error.code(), plain_reason(error.details() or "")
        if code == grpc.StatusCode.UNAVAILABLE:
            return f"no server at grpc://{self._address}: is it running? ({details})"
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return (
                f"grpc://{self._address} did not answer within {self._timeout_secs:g} s. Give a "
                "larger --timeout_secs"
            )
        if code == grpc.StatusCode.NOT_FOUND:
            return f"grpc://{self._address} serves no such model or version: {details}"
        return f"grpc://{self._address} answered {code.name}: {details}"
