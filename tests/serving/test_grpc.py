"""The client's gRPC side, against a server of TensorFlow Serving's own service definition."""

from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from discogan_tf.errors import ServingError
from discogan_tf.export import golden
from discogan_tf.export.versions import Version
from discogan_tf.serving.client import create_client


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers as TensorFlow Serving does, from one loaded version."""

    def __init__(self, version, refusals=0):
        self._version, self.refusals = version, refusals

    def Predict(self, request, context):  # noqa: N802 - the service's name for it.
        if self.refusals:
            self.refusals -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        if request.model_spec.name != "handbags2shoes" or request.model_spec.version.value not in (
            0,
            1,
        ):
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            outputs = self._version.run(request.model_spec.signature_name, inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        answer = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            content = list(value) if value.dtype == object else value
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(content))
        return answer


@pytest.fixture(scope="module")
def service(exported):
    service = _Service(Version(exported / "handbags2shoes" / "1"))
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    service.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(None)


def test_golden_answers_over_grpc(exported, service):
    predict = create_client(service.url).predictor("handbags2shoes", 1)
    assert len(golden.replay(exported / "handbags2shoes" / "1", predict)) == 4


def test_an_unavailable_server_is_tried_again(service):
    service.refusals = 2
    images = {"images": np.full((1, 32, 32, 3), 0.5, np.float32)}
    answer = create_client(service.url, retries=3).predict(
        "handbags2shoes", "serving_default", images
    )
    assert answer["translated"].shape == (1, 32, 32, 3) and service.refusals == 0


def test_errors_say_what_to_do(service):
    client = create_client(service.url, retries=0)
    for name, version in (("bags2boots", None), ("handbags2shoes", 9)):
        with pytest.raises(ServingError, match="no such model or version"):
            client.translate(name, [b""], version)
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: image_bytes: not a JPEG"):
        client.translate("handbags2shoes", [b"text"])
    with pytest.raises(ServingError, match="is it running"):
        create_client("grpc://127.0.0.1:1", retries=0).translate("handbags2shoes", [b""])
