"""What single attacks cost the server: time, memory, and whether others are still answered.

    python -m benchmarks.serving_attacks --export_dir=exported

Starts its own server. Beside each attack a client asks for /health ten times a second. Reported are
the answer, the time, the growth of the server's memory, the longest wait for /health, and how many
of these requests failed.
"""

import argparse
import base64
import contextlib
import json
import re
import resource
import socket
import threading
import time
from pathlib import Path

import numpy as np
import requests

from benchmarks.serving_faults import Server, _jpeg_of_scans

_OBSERVED_SECS = 12
_HEALTH = b"GET /health HTTP/1.1\r\nHost:"


class _Health:
    """Asks for /health in the background. A context manager."""

    def __init__(self, url: str):
        self._url, self._end = url + "/health", threading.Event()
        self.waits, self.failures = [], 0

    def __enter__(self):
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._end.set()
        self._thread.join()

    def _run(self):
        while not self._end.is_set():
            started = time.perf_counter()
            try:
                failed = requests.get(self._url, timeout=30).status_code != 200
            except requests.RequestException:
                failed = True
            self.failures += failed
            self.waits.append(time.perf_counter() - started)
            time.sleep(0.1)


def _post(server: Server, name: str, body) -> str:
    url = f"{server.url}/v1/models/{name}:predict"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        return f"status {requests.post(url, data=content, timeout=300).status_code}"
    except requests.RequestException as error:
        return type(error).__name__


def _image(server: Server, name: str, pixel) -> list:
    metadata = requests.get(f"{server.url}/v1/models/{name}/metadata", timeout=30).json()
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    shape = signature["inputs"]["images"]["tensor_shape"]["dim"][1:3]
    rows, columns = (int(side["size"]) for side in shape)
    image = np.zeros((rows, columns, 3)).tolist()
    image[5][5][1] = pixel
    return image


def _two_at_once(function) -> str:
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(function())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ", ".join(answers)


def _idle(server: Server, count: int, begin: bytes) -> str:
    """Opens connections that send no more than `begin`. Says how many the server keeps open."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(count):
            address = ("127.0.0.1", server.port)
            connections.append(stack.enter_context(socket.create_connection(address)))
            connections[-1].sendall(begin)
        time.sleep(_OBSERVED_SECS)
        is_open = 0
        for connection in connections:
            connection.setblocking(False)
            try:
                is_open += connection.recv(1) != b""
            except BlockingIOError:
                is_open += 1
            except OSError:
                continue
    return f"{is_open} of {count} open after {_OBSERVED_SECS} s"


def _read_nothing(server: Server, name: str, count: int) -> str:
    """Clients that send large requests and never read the answers."""
    images = np.random.default_rng(0).random((64, *np.shape(_image(server, name, 0)))).round(2)
    body = json.dumps({"signature_name": "cycle", "instances": images.tolist()}).encode()
    head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with contextlib.ExitStack() as stack:

        def send():
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(OSError):
                connection.connect(("127.0.0.1", server.port))
                connection.sendall(head.encode() + b"\r\n" + body)

        threads = [threading.Thread(target=send) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(3 * _OBSERVED_SECS)
    return "closed by the attacker"


def _attacks(server: Server, name: str) -> dict:
    """Words for each attack -> a function that runs it and returns what came of it."""
    jpeg = base64.b64encode(_jpeg_of_scans(5000)).decode()
    scans = {"signature_name": "translate_bytes", "instances": [{"b64": jpeg}]}
    text_among = {"instances": [_image(server, name, "x" * 30_000)]}
    return {
        "text among pixels, 130 KB": lambda: _post(server, name, text_among),
        "text of 20 MB": lambda: _post(server, name, {"inputs": {"images": ["x" * 20_000_000]}}),
        "10 million empty rows": lambda: _post(
            server, name, b'{"instances":[' + b",".join([b"[]"] * 10_000_000) + b"]}"
        ),
        "two JPEG files of 5,000 scans": lambda: _two_at_once(lambda: _post(server, name, scans)),
        "260 idle connections": lambda: _idle(server, 260, b""),
        "260 half-sent headers": lambda: _idle(server, 260, _HEALTH),
        "1,100 idle connections, 1,024 files": lambda: _idle(server, 1100, b""),
        "80 clients that do not read": lambda: _read_nothing(server, name, 80),
    }


def _peak_mib(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export_dir", type=Path, default=Path("exported"))
    values = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Server(values.export_dir) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
        name = next(iter(requests.get(f"{server.url}/health", timeout=30).json()["versions"]))
        print("| attack | what came of it | s | memory, MiB | /health, s at most | failed |")
        print("|---|---|---|---|---|---|")
        for words, attack in _attacks(server, name).items():
            # Makes the peak the present value.
            Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
            before, started = server.resident_mib(), time.perf_counter()
            with _Health(server.url) as health:
                outcome = attack()
                seconds = time.perf_counter() - started
            print(
                f"| {words} | {outcome} | {seconds:.1f} | +{_peak_mib(server) - before:.0f} | "
                f"{max(health.waits):.2f} | {health.failures} of {len(health.waits)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
