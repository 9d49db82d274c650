"""Connections that send or read nothing do not keep others out."""

import asyncio
import contextlib
import http.client
import socket
import time

import pytest
import requests

from discogan_tf.serving.connections import ConnectionLimits, limited_protocol

_BEGIN = b"GET /health HTTP/1.1\r\nHost:"


@pytest.mark.parametrize("begin", [b"", _BEGIN])
def test_more_idle_connections_than_allowed_keep_nobody_out(server, begin):
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(300):
            address = ("127.0.0.1", server.port)
            connections.append(stack.enter_context(socket.create_connection(address)))
            connections[-1].sendall(begin)
        started = time.monotonic()
        assert requests.get(f"{server.url}/health", timeout=5).status_code == 200
        assert time.monotonic() - started < 2
        deadline = time.monotonic() + 8  # The server's limit for headers is 1 s.
        for connection in connections:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""


def test_half_sent_bodies_keep_nobody_out(server):
    head = b"POST /v1/models/x:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        for _ in range(260):
            address = ("127.0.0.1", server.port)
            stack.enter_context(socket.create_connection(address)).sendall(head)
        for _ in range(5):
            assert requests.get(f"{server.url}/health", timeout=5).status_code == 200


def test_a_connection_may_be_used_again(server):
    """Even if its second request comes later than the first one may."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for pause_secs in (0.4, 2.5, 0):
        connection.request("GET", "/health")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
        time.sleep(pause_secs)
    connection.close()


def _answer_of(size):
    """An ASGI application that answers with so many bytes."""

    async def application(scope, receive, send):
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    return application


def _read(limits, clients, pause_secs, total_secs, size=8 << 20, begin_secs=0):
    """How many bytes each of some clients reads, 256 KiB at a time with a pause after each.

    They begin to read after `begin_secs`.
    """
    import uvicorn

    async def client(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        writer.write(_BEGIN + b" x\r\n\r\n")
        await asyncio.sleep(begin_secs)
        count, until = 0, time.monotonic() + total_secs
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < until and (piece := await reader.read(1 << 18)):
                count += len(piece)
                await asyncio.sleep(pause_secs)
        writer.close()
        return count

    async def main():
        config = uvicorn.Config(
            _answer_of(size),
            port=0,
            http=limited_protocol(limits),
            log_level="error",
            lifespan="off",
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        counts = await asyncio.gather(*(client(port) for _ in range(clients)))
        server.should_exit = True
        await serving
        return counts

    return asyncio.run(main())


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_disconnected_and_a_slow_one_is_not():
    limits = ConnectionLimits(read_timeout_secs=0.5)
    (count,) = _read(limits, clients=1, pause_secs=0, total_secs=30, begin_secs=5)
    assert count < 8 << 20
    assert _read(limits, clients=1, pause_secs=0.05, total_secs=30)[0] > 8 << 20


@pytest.mark.slow
def test_answers_that_nobody_reads_are_limited_together():
    limits = ConnectionLimits(max_unread_bytes=20 << 20)
    counts = _read(limits, clients=8, pause_secs=0.2, total_secs=30)
    assert 1 <= sum(count > 8 << 20 for count in counts) < 8
