"""The server as an ASGI application: routes, limits, errors, metrics."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable

import anyio
import numpy as np
import prometheus_client as prometheus
import tensorflow as tf
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from discogan_tf.hardware import inference_batch_size
from discogan_tf.matching.catalog import Catalog
from discogan_tf.serving import matching, rest
from discogan_tf.serving.error_messages import plain_reason
from discogan_tf.serving.store import Store, Version

_HELP_BEGIN = """\
This server translates images: it speaks TensorFlow Serving's REST API. To translate one,

    python -m discogan_tf.serving.client --url=http://HOST:PORT --direction=NAME in.jpg -o out.png

/health says what is loaded. Models:
"""
_HELP_OF_MODEL = """\
{name}
    GET  /v1/models/{name}/metadata    its signatures
    POST /v1/models/{name}:predict     requests
"""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Attributes:
      max_batch_size: Examples in a request.
      max_body_bytes: Size of its body.
      body_timeout_secs: Time for its body to arrive.
      max_waiting: Requests that may wait for a core; further ones are answered 503 at once.
      max_held_bytes: Size of all bodies in memory; further ones are answered 503.
    """

    max_batch_size: int = 64
    max_body_bytes: int = 32 << 20
    body_timeout_secs: float = 10.0
    max_waiting: int = 64
    max_held_bytes: int = 256 << 20


class _Refusal(Exception):  # noqa: N818 - an answer, not a failure.
    """A request that is not answered; the client gets the message."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


def create_app(store: Store, limits: Limits, catalog: Catalog | None = None) -> ASGIApp:
    """The application that serves what `store` has loaded.

    Args:
      store: The exported models.
      limits: Of requests.
      catalog: Answers requests for matches, if there is one.
    """
    metrics = _Metrics(store)
    cores = anyio.CapacityLimiter(len(os.sched_getaffinity(0)))
    bodies = _Bodies(limits)

    async def in_thread(function: Callable, *arguments) -> bytes:
        if cores.statistics().tasks_waiting >= limits.max_waiting:
            raise _Refusal(503, "overloaded: try again later")
        return await anyio.to_thread.run_sync(function, *arguments, limiter=cores)

    async def match(request: Request) -> Response:
        try:
            async with bodies.read(request) as body:
                answer = await in_thread(_match, catalog, body)
            return Response(answer, media_type="application/json")
        except ClientDisconnect:
            return Response(status_code=499)

    async def predict(request: Request) -> Response:
        started, status = time.perf_counter(), 500
        try:
            async with bodies.read(request) as body:
                version = _version(store, request)
                answer = await in_thread(_predict, version, body, limits)
            status = 200
            return Response(answer, media_type="application/json")
        except _Refusal as refusal:
            status = refusal.status
            raise
        except ClientDisconnect:
            status = 499  # Nobody reads the answer; nginx's number, for the metrics.
            return Response(status_code=status)
        finally:
            metrics.count(request.path_params["name"], status, time.perf_counter() - started)

    def status(request: Request) -> Response:
        version = _version(store, request)
        outcome = {"error_code": "OK", "error_message": ""}
        entry = {"version": str(version.number), "state": "AVAILABLE", "status": outcome}
        return JSONResponse({"model_version_status": [entry]})

    def metadata(request: Request) -> Response:
        return JSONResponse(rest.metadata(request.path_params["name"], _version(store, request)))

    def health(request: Request) -> Response:
        versions = {name: version.number for name, version in store.versions.items()}
        healthy = bool(versions) and set(store.errors) <= set(versions)
        return JSONResponse({"versions": versions, "errors": store.errors}, 200 if healthy else 503)

    def help_text(request: Request) -> Response:
        lines = [_HELP_BEGIN, *(_HELP_OF_MODEL.format(name=name) for name in store.versions)]
        return PlainTextResponse("\n".join(lines) + "\n")

    def metrics_text(request: Request) -> Response:
        content = prometheus.generate_latest(metrics.registry)
        return Response(content, media_type=prometheus.CONTENT_TYPE_LATEST)

    routes = [
        Route("/", help_text),
        Route("/health", health),
        Route("/monitoring/prometheus/metrics", metrics_text),
    ]
    if catalog is not None:
        routes.append(Route("/v1/match", match, methods=["POST"]))
    register_url_convertor("part", _Part())
    for model in ("/v1/models/{name:part}", "/v1/models/{name:part}/versions/{number:part}"):
        routes += [
            Route(f"{model}:predict", predict, methods=["POST"]),
            Route(f"{model}/metadata", metadata),
            Route(model, status),
        ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            _Refusal: lambda request, refusal: _error(refusal.status, str(refusal)),
            404: lambda request, error: _error(404, f"nothing at {request.url.path}"),
            405: lambda request, error: _error(405, f"{request.method} is not allowed here"),
            Exception: lambda request, error: _error(500, "internal error; see the server's log"),
        },
    )
    # A redirect would lead to whatever host the request names.
    app.router.redirect_slashes = False
    return _unambiguous(app)


def _unambiguous(app: ASGIApp) -> ASGIApp:
    """Refuses requests that state their length in two ways.

    A proxy in front of the server may believe the other one, and take the rest of the body for the
    next client's request (RFC 9112, section 6.1).
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        names = [name for name, _ in scope.get("headers", ())]
        if b"content-length" in names and b"transfer-encoding" in names:
            refusal = _error(400, "give Content-Length or Transfer-Encoding, not both")
            refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)
        else:
            await app(scope, receive, send)

    return wrapped


class _Part(Convertor):
    """A segment of a path up to a colon, which the verb follows."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def _predict(version: Version, body: bytearray, limits: Limits) -> bytes:
    """The body of the response to a request. Runs in a thread, because it is slow."""
    try:
        signature, request = rest.parse_body(body)
        if signature not in version.signatures:
            names = ", ".join(sorted(version.signatures))
            raise rest.BadRequest(f"unknown signature {signature!r}; available: {names}")
        inputs = rest.parse_inputs(request, version.inputs(signature), limits.max_batch_size)
        outputs = run_in_parts(version, signature, inputs)
    except rest.BadRequest as error:
        raise _Refusal(400, str(error)) from error
    except tf.errors.InvalidArgumentError as error:
        raise _Refusal(400, plain_reason(error.message)) from error
    return rest.render(outputs, by_rows="instances" in request)


def run_in_parts(
    version: Version, signature: str, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """As `Version.run`, of so many images at once as memory is planned for."""
    shape = next(iter(inputs.values())).shape
    at_once = inference_batch_size(max(1, *shape[1:3])) if len(shape) == 4 else shape[0]
    parts = [
        version.run(
            signature, {name: value[start : start + at_once] for name, value in inputs.items()}
        )
        for start in range(0, shape[0], at_once)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _match(catalog: Catalog, body: bytearray) -> bytes:
    """As `_predict`, of a request for matches."""
    try:
        return matching.answer(catalog, body)
    except rest.BadRequest as error:
        raise _Refusal(400, str(error)) from error


class _Bodies:
    """The bodies of requests while they are in memory."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._held_bytes = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request):
        """The body of a request, a bytearray.

        Raises:
          _Refusal: if it is too large, arrives too slowly, or too much is in memory already.
        """
        limits, body = self._limits, bytearray()
        too_large = _Refusal(413, f"the request is larger than {limits.max_body_bytes} bytes")
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > limits.max_body_bytes:
            raise too_large
        try:
            with anyio.fail_after(limits.body_timeout_secs):
                async for piece in request.stream():
                    body += piece
                    self._held_bytes += len(piece)
                    if len(body) > limits.max_body_bytes:
                        raise too_large
                    if self._held_bytes > limits.max_held_bytes:
                        raise _Refusal(503, "overloaded: try again later")
            yield body
        except TimeoutError as error:
            raise _Refusal(
                408, f"the body did not arrive within {limits.body_timeout_secs:g} s"
            ) from error
        finally:
            self._held_bytes -= len(body)


def _version(store: Store, request: Request) -> Version:
    """The version that a request names.

    Raises:
      _Refusal: if it is not loaded.
    """
    name, number = request.path_params["name"], request.path_params.get("number")
    version = store.versions.get(name)
    if version is None:
        raise _Refusal(
            404, f"unknown model {name!r}; available: {', '.join(sorted(store.versions))}"
        )
    if number is not None and number != str(version.number):
        raise _Refusal(
            404, f"no version {number[:20]} of {name}; version {version.number} is loaded"
        )
    return version


def _error(status: int, reason: str) -> Response:
    headers = {"Retry-After": "1"} if status == 503 else {}
    if status in (408, 413):  # The rest of the body is not read, so no request can follow it.
        headers["Connection"] = "close"
    return JSONResponse({"error": reason}, status, headers)


class _Metrics:
    """Metrics of the server, for Prometheus."""

    def __init__(self, store: Store):
        self.registry = prometheus.CollectorRegistry()
        self._names = lambda: store.versions
        labels = ("model", "status")
        self._requests = prometheus.Counter(
            "requests", "Prediction requests.", labels, registry=self.registry
        )
        self._seconds = prometheus.Histogram(
            "request_seconds",
            "Time from a request to its answer.",
            ("model",),
            registry=self.registry,
        )
        prometheus.ProcessCollector(registry=self.registry)

    def count(self, name: str, status: int, seconds: float) -> None:
        # Clients can request any name; only known ones may become a series.
        name = name if name in self._names() else "unknown"
        self._requests.labels(name, str(status)).inc()
        self._seconds.labels(name).observe(seconds)
