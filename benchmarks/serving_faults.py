"""The server under good and bad requests at once: whether it stays up, correct, and flat in memory.

    python -m benchmarks.serving_faults --export_dir=exported --seconds=600

Starts its own server of a copy of the export. Some threads continuously request golden answers and
compare them; others send bad requests; one adds a version every `--reload_secs`, removes the
oldest, and now and then adds one that is broken. Exit status 1 if the server ends, a good request
fails or returns another image, a bad one gets a wrong status, or memory grows by more than 5 %.
"""

import argparse
import base64
import collections
import io
import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import requests
from PIL import Image

_BODY_TIMEOUT_SECS = 2
_GOOD_THREADS, _BAD_THREADS = 2, 2


class Server:
    """A server process of this project on a free port; a context manager that ends it."""

    def __init__(self, export_dir: Path, *arguments: str):
        command = [
            sys.executable,
            "-m",
            "discogan_tf.serving.server",
            f"--export_dir={export_dir}",
            "--port=0",
        ]
        self.process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"running on (http://[\d.]+:(\d+))", line):
                self.url, self.port = found.group(1), int(found.group(2))
                break
        else:
            raise RuntimeError("the server did not start:\n" + "".join(self.lines))
        threading.Thread(target=self.lines.extend, args=(self.process.stderr,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def raw(self, content: bytes, wait_secs: float = _BODY_TIMEOUT_SECS + 8) -> int:
        """Sends bytes as they are. Returns the status of the answer; 0 for none."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait_secs) as connection:
            connection.sendall(content)
            answer = connection.recv(4096)
        return int(answer.split()[1]) if answer else 0


def bad_requests(server: Server, name: str, image: bytes) -> dict:
    """Kind of bad request -> (a function that sends it and returns the status, expected status).

    Args:
      server: Where to.
      name: A model that it serves.
      image: A PNG that it translates.
    """
    url = f"{server.url}/v1/models/{name}"
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(image)).convert("RGB").resize((256, 256)).save(jpeg, "JPEG")
    jpeg = jpeg.getvalue()

    def post(body, path=":predict"):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)

        def send():
            answer = requests.post(url + path, data=body, timeout=30)
            if answer.status_code != 200 and not answer.json()["error"]:
                return "no reason given"
            return answer.status_code

        return send

    def image_of(content: bytes):
        return post({"signature_name": "translate_bytes", "instances": [_entry(content)]})

    def pixels(value):
        return post({"instances": np.full((1, 64, 64, 3), value).tolist()})

    def disconnect():
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(head(100_000) + b"{" * 500)
        return requests.get(f"{server.url}/health", timeout=30).status_code

    def head(length: int) -> bytes:
        first_line = f"POST /v1/models/{name}:predict HTTP/1.1"
        return f"{first_line}\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()

    two_lengths = head(4)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    entry = _entry(image)
    return {
        "truncated JPEG": (image_of(jpeg[: len(jpeg) // 2]), 400),
        "truncated PNG": (image_of(image[: len(image) // 2]), 400),
        "PNG of 1 x 1": (image_of(_png(1, 1)), 200),
        "PNG header of 20,000 x 20,000": (image_of(_png_header(20_000, 20_000)), 400),
        "JPEG header of 20,000 x 20,000": (image_of(_jpeg_of(jpeg, 20_000, 20_000)), 400),
        "GIF frame of 65,535 x 65,535": (image_of(_gif_frame(65_535, 65_535)), 400),
        "13 images of 16 megapixels": (
            post(
                {"signature_name": "translate_bytes", "instances": [_entry(_png(4000, 4000))] * 13}
            ),
            400,
        ),
        "a GIF of small blocks": (image_of(_gif_of_small_blocks()), 400),
        "text for an image": (image_of(b"How do I translate my own image?"), 400),
        "nothing for an image": (image_of(b""), 400),
        "no base64": (
            post({"signature_name": "translate_bytes", "instances": [{"b64": "%%%"}]}),
            400,
        ),
        "a JPEG of 5,000 scans": (image_of(_jpeg_of_scans(5000)), 400),
        "text among pixels": (post({"instances": [[["x" * 30_000, *[[0.5] * 3] * 63]] * 2]}), 400),
        "true for a pixel": (post({"instances": [[[[0.5, 0.5, True]] * 64] * 64]}), 400),
        "many empty rows": (post(b'{"instances": [' + b"[]," * 300_000 + b"[]]}"), 400),
        "an object for a signature": (post({"signature_name": {}, "instances": [entry]}), 400),
        "two lengths": (lambda: server.raw(two_lengths), 400),
        "headers that never end": (lambda: server.raw(two_lengths[:30]), 0),
        "no JSON": (post(b"\x00\xff"), 400),
        "empty body": (post(b""), 400),
        "deep JSON": (post("[" * 100_000), 400),
        "text for pixels": (pixels("x"), 400),
        "pixels of 0 .. 255": (pixels(200.0), 400),
        "ragged pixels": (post({"instances": [[[1.0, 2.0], [1.0]]]}), 400),
        "pixels of another size": (post({"instances": np.zeros((1, 8, 8, 3)).tolist()}), 400),
        "65 images": (post({"signature_name": "translate_bytes", "instances": [entry] * 65}), 400),
        "no images": (post({"instances": []}), 400),
        "unknown signature": (post({"signature_name": "classify", "instances": [entry]}), 400),
        "unknown version": (post({"instances": [entry]}, "/versions/999:predict"), 404),
        "unknown model": (post({"instances": [entry]}, "x:predict"), 404),
        "wrong method": (lambda: requests.get(f"{url}:predict", timeout=30).status_code, 405),
        "a gigabyte announced": (lambda: server.raw(head(1 << 30)), 413),
        "slow client": (lambda: server.raw(head(1000) + b"{"), 408),
        "disconnect, and the server after it": (disconnect, 200),
    }


def run(server: Server, version_folder: Path, seconds: float, reload_secs: float = 0) -> dict:
    """Sends good and bad requests for a while. Returns the report.

    Args:
      server: Where to.
      version_folder: A version that it serves.
      seconds: For how long.
      reload_secs: Time between new versions of that model; 0 for none.
    """
    from discogan_tf.export.golden import read_golden
    from discogan_tf.serving.client import create_client

    name = version_folder.parent.name
    inputs, outputs = read_golden(version_folder)
    files = list(inputs["translate_bytes"]["image_bytes"])
    expected = list(outputs["translate_bytes"]["image_bytes"])
    until = time.monotonic() + seconds
    latencies, failures = [], []
    statuses = collections.defaultdict(collections.Counter)

    def good(first: int):
        client = create_client(server.url, retries=0)
        for index in itertools.count(first):
            if time.monotonic() > until or failures:
                return
            started = time.perf_counter()
            try:
                if index % 50 == 0:
                    right = client.translate(name, files) == expected
                else:
                    place = index % len(files)
                    right = client.translate(name, [files[place]]) == [expected[place]]
                    latencies.append(time.perf_counter() - started)
                if not right:
                    failures.append("a good request got another image than the golden one")
            except Exception as error:
                failures.append(f"a good request failed: {error}")

    def bad(first: int):
        kinds = bad_requests(server, name, files[0])
        for index in itertools.count(first):
            if time.monotonic() > until or failures:
                return
            kind = list(kinds)[index % len(kinds)]
            send, due = kinds[kind]
            try:
                status = send()
            except Exception as error:
                status = type(error).__name__
            statuses[kind][status] += 1
            if status != due:
                failures.append(f"{kind}: got {status}, due was {due}")

    def reload():
        model, number, kept = version_folder.parent, int(version_folder.name), [version_folder]
        while time.monotonic() < until and not failures:
            time.sleep(reload_secs)
            number += 1
            temporary = model / "being_copied"
            shutil.copytree(version_folder if len(kept) == 1 else kept[-1], temporary)
            if number % 5 == 0:  # Does not load; the version before must stay.
                (temporary / "saved_model.pb").write_bytes(b"nonsense")
            else:
                kept.append(model / str(number))
            temporary.rename(model / str(number))
            if len(kept) > 2:
                shutil.rmtree(kept.pop(0))
            reloads.append(number)

    reloads = []
    threads = [threading.Thread(target=reload)] if reload_secs else []
    threads += [threading.Thread(target=good, args=(number,)) for number in range(_GOOD_THREADS)]
    threads += [threading.Thread(target=bad, args=(13 * number,)) for number in range(_BAD_THREADS)]
    for thread in threads:
        thread.start()
    resident = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(1.0, seconds / 20))
        if server.process.poll() is not None:
            failures.append(f"the server ended with {server.process.returncode}")
            break
        resident.append(server.resident_mib())
    for thread in threads:
        thread.join()
    # The first quarter is for caches to fill.
    early = statistics.median(resident[len(resident) // 4 : len(resident) // 2])
    late = statistics.median(resident[-max(1, len(resident) // 4) :])
    if seconds >= 60 and late > 1.05 * early:
        failures.append(f"memory grew from {early:.0f} to {late:.0f} MiB")
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "seconds": seconds,
        "good_requests": len(latencies),
        "latency_ms": {p: round(1000 * cuts[p - 1], 1) for p in (50, 95, 99)},
        "bad_requests": sum(sum(counter.values()) for counter in statuses.values()),
        "statuses": {kind: dict(counter) for kind, counter in statuses.items()},
        "versions": len(reloads),
        "resident_mib": {"early": round(early), "late": round(late), "most": round(max(resident))},
        "failures": failures,
    }


def _entry(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


def _png_header(width: int, height: int) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + content
        + struct.pack(">I", zlib.crc32(content))
    )


def _png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


def _jpeg_of(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG that declares another size than it has."""
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


def _jpeg_of_scans(count: int) -> bytes:
    """A small JPEG file that takes minutes to decode: each scan goes over all pixels."""
    file = io.BytesIO()
    Image.new("L", (2000, 2000), 128).save(file, "JPEG", progressive=True)
    before, *scans = file.getvalue().split(b"\xff\xda")
    smallest = min(scans[1:-1], key=len)
    return b"\xff\xda".join([before, scans[0], *[smallest] * count, scans[-1]])


def _gif_frame(width: int, height: int) -> bytes:
    """A GIF of a few bytes that declares any size."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"


def _gif_of_small_blocks() -> bytes:
    """A GIF with a megabyte of comment in blocks of one byte, each of which costs a step."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    return screen + b"!\xfe" + b"\x01x" * 500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export_dir", type=Path, default=Path("exported"))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--reload_secs", type=float, default=30, help="time between new versions")
    values = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from discogan_tf.export.versions import version_folders

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "exported"
        shutil.copytree(values.export_dir, copy)
        (*_, newest), *_ = version_folders(copy).values()
        with Server(copy, f"--request_timeout_secs={_BODY_TIMEOUT_SECS}") as server:
            report = run(server, newest, values.seconds, values.reload_secs)
    print(json.dumps(report, indent=1))
    sys.exit(bool(report["failures"]))


if __name__ == "__main__":
    main()
