"""The server over real sockets, and its client."""

import base64
import contextlib
import gzip
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import requests
from PIL import Image

from benchmarks.serving_faults import bad_requests, run
from discogan_tf.errors import ServingError
from discogan_tf.export import golden
from discogan_tf.serving.client import create_client, read_for_server


@pytest.fixture(scope="module")
def answers(exported):
    return golden.read_golden(exported / "handbags2shoes" / "1")


@pytest.fixture(scope="module")
def url(server):
    return f"{server.url}/v1/models/handbags2shoes"


def _post(url, body):
    answer = requests.post(url, json=body, timeout=30)
    return answer.status_code, answer.json()


def test_a_server_gives_the_golden_answers(exported, server):
    command = [
        sys.executable,
        "export.py",
        f"--verify_url={server.url}",
        f"--export_dir={exported}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("6 golden answers") == 8


def test_metadata_is_that_of_tensorflow_serving(url):
    answer = requests.get(f"{url}/metadata", timeout=30)
    assert answer.status_code == 200
    content = answer.json()
    assert content["model_spec"] == {
        "name": "handbags2shoes", "signature_name": "", "version": "1",
    }  # fmt: skip
    signatures = content["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() == {"serving_default", "cycle", "translate_bytes"}
    images = signatures["serving_default"]["inputs"]["images"]
    assert images["dtype"] == "DT_FLOAT"
    assert [size["size"] for size in images["tensor_shape"]["dim"]] == ["-1", "32", "32", "3"]
    assert signatures["translate_bytes"]["outputs"]["image_bytes"]["dtype"] == "DT_STRING"
    assert requests.get(f"{url}/versions/1/metadata", timeout=30).json() == content
    assert requests.get(f"{url}/versions/2/metadata", timeout=30).status_code == 404


def test_rows_and_columns_named_and_alone_give_the_same(url, answers):
    inputs, outputs = answers
    images = inputs["serving_default"]["images"][:2].tolist()
    expected = outputs["serving_default"]["translated"][:2]
    for body, answer in (
        ({"instances": images}, "predictions"),
        ({"instances": [{"images": image} for image in images]}, "predictions"),
        ({"inputs": images}, "outputs"),
        ({"inputs": {"images": images}, "signature_name": "serving_default"}, "outputs"),
    ):
        status, content = _post(f"{url}:predict", body)
        assert (status, list(content)) == (200, [answer])
        np.testing.assert_allclose(content[answer], expected, atol=1e-6)


def test_several_outputs_are_named(url, answers):
    inputs, outputs = answers
    images = inputs["cycle"]["images"][:2].tolist()
    rows = _post(f"{url}:predict", {"signature_name": "cycle", "instances": images})[1][
        "predictions"
    ]
    columns = _post(f"{url}:predict", {"signature_name": "cycle", "inputs": images})[1]["outputs"]
    for name in ("translated", "reconstructed"):
        np.testing.assert_allclose(
            [row[name] for row in rows], outputs["cycle"][name][:2], atol=1e-6
        )
        np.testing.assert_allclose(columns[name], outputs["cycle"][name][:2], atol=1e-6)


def test_bytes_travel_as_base64(url, answers):
    inputs, outputs = answers
    entries = [
        {"b64": base64.b64encode(content).decode()}
        for content in inputs["translate_bytes"]["image_bytes"]
    ]
    expected = list(outputs["translate_bytes"]["image_bytes"])
    for body, answer in (
        ({"instances": entries}, "predictions"),
        ({"instances": [{"image_bytes": entry} for entry in entries]}, "predictions"),
        ({"inputs": {"image_bytes": entries}}, "outputs"),
    ):
        _, content = _post(
            f"{url}/versions/1:predict", body | {"signature_name": "translate_bytes"}
        )
        assert [base64.b64decode(entry["b64"]) for entry in content[answer]] == expected


def test_status_health_and_metrics(server, url):
    for path in ("", "/versions/1"):
        (entry,) = requests.get(url + path, timeout=30).json()["model_version_status"]
        assert (entry["version"], entry["state"]) == ("1", "AVAILABLE")
    health = requests.get(f"{server.url}/health", timeout=30)
    assert health.status_code == 200 and health.json()["versions"]["shoes2handbags"] == 1

    def count(status):
        text = requests.get(f"{server.url}/monitoring/prometheus/metrics", timeout=30).text
        name = f'requests_total{{model="shoes2handbags",status="{status}"}} '
        return sum(float(line[len(name) :]) for line in text.splitlines() if line.startswith(name))

    before = count(400)
    _post(f"{server.url}/v1/models/shoes2handbags:predict", {"instances": []})
    assert count(400) == before + 1


def test_each_bad_request_gets_its_status(server, answers):
    image = answers[0]["translate_bytes"]["image_bytes"][0]
    kinds = bad_requests(server, "handbags2shoes", image)
    assert len(kinds) > 20
    found = {kind: send() for kind, (send, _) in kinds.items()}
    assert found == {kind: due for kind, (_, due) in kinds.items()}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"instances": [1], "inputs": [1]}, 'either "instances" or "inputs"'),
        ({"instances": 3}, "must be a list"),
        ({"inputs": {"photos": []}}, "the inputs must be 'images', not 'photos'"),
        ({"instances": [{"images": 1}, {"photos": 1}]}, "the same inputs"),
        ({"inputs": {"images": [[0.5]]}}, r"has shape [1, 1], expected [None, 32, 32, 3]"),
        ({"inputs": {"images": ["x"]}}, "must be numbers"),
        ({"inputs": {"images": ["x" * 1_000_000]}}, "must be numbers"),
        ({"inputs": {"images": [[["x"] * 32] * 32]}}, "must be numbers"),
        ({"inputs": np.full((1, 32, 32, 3), True).tolist()}, "must be numbers"),
        ({"inputs": {"images": [[[[1] * 3] * 32] * 31 + [[[1] * 3] * 31]]}}, "unequal length"),
        ({"inputs": {x * 1000: [1] for x in "abcdefg"}}, "not 'aaa"),
        ({"instances": [[]] * 500_000}, "more lists and objects than images"),
        ({"inputs": [1], "signature_name": False}, "must be a string"),
        ({"inputs": [1], "signature_name": {}}, "must be a string"),
        ({"inputs": {"images": [0.5] * 9}}, "9 entries; from 1 to 8 are accepted"),
        (
            {"inputs": [1], "signature_name": "x"},
            "available: cycle, serving_default, translate_bytes",
        ),
        ({"inputs": [1], "signature_name": 5}, "must be a string"),
        ({"inputs": np.full((1, 32, 32, 3), 7.0).tolist()}, "the values must be in [0, 1]"),
        ({"inputs": ["x"], "signature_name": "translate_bytes"}, "not a JPEG, PNG, GIF or WebP"),
        ({"inputs": [{"b64": "!"}], "signature_name": "translate_bytes"}, "in base64"),
        ({"inputs": [[1]], "signature_name": "translate_bytes"}, "in base64"),
    ],
)
def test_a_bad_request_says_why(url, body, reason):
    status, content = _post(f"{url}:predict", body)
    assert status == 400 and reason in content["error"], content
    assert len(content["error"]) < 1000


def test_a_larger_body_than_allowed_is_refused_also_without_its_length(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/models/handbags2shoes:predict HTTP/1.1\r\n"
            b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for _ in range(40):
                connection.sendall(b"20000\r\n" + bytes(0x20000) + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert b" 413 " in connection.recv(4096)


def test_new_versions_are_picked_up_and_broken_ones_passed_over(exported, serve, tmp_path):
    copy = shutil.copytree(exported, tmp_path / "copy")
    server = serve(copy, "--poll_secs=0.1")
    client = create_client(server.url)
    inputs, outputs = golden.read_golden(copy / "handbags2shoes" / "1")
    other = golden.read_golden(copy / "shoes2handbags" / "1")[1]["serving_default"]["translated"]

    def loaded():
        return requests.get(f"{server.url}/health", timeout=30).json()

    def wait_for(version):
        until = time.monotonic() + 60
        while loaded()["versions"]["handbags2shoes"] != version:
            assert time.monotonic() < until
            time.sleep(0.1)

    def answer():
        return client.predict("handbags2shoes", "serving_default", inputs["serving_default"])[
            "translated"
        ]

    broken = copy / "handbags2shoes" / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    until = time.monotonic() + 60
    while "handbags2shoes" not in loaded()["errors"]:
        assert time.monotonic() < until
        time.sleep(0.1)
    np.testing.assert_allclose(answer(), outputs["serving_default"]["translated"], atol=1e-6)

    aside = shutil.copytree(copy / "shoes2handbags" / "1", copy / ".aside")
    aside.rename(copy / "handbags2shoes" / "3")
    wait_for(3)
    assert not loaded()["errors"]
    translated = client.predict("handbags2shoes", "serving_default", inputs["serving_default"])[
        "translated"
    ]
    assert translated.shape == other.shape and not np.allclose(
        translated, outputs["serving_default"]["translated"]
    )
    with pytest.raises(ServingError, match="no version 1 of handbags2shoes; it has 3"):
        client.predict("handbags2shoes", "serving_default", inputs["serving_default"], version=1)

    shutil.rmtree(copy / "handbags2shoes" / "3")
    shutil.rmtree(copy / "handbags2shoes" / "2")
    wait_for(1)
    np.testing.assert_allclose(answer(), outputs["serving_default"]["translated"], atol=1e-6)


def _client(*arguments):
    command = [sys.executable, "-m", "discogan_tf.serving.client", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_client_command(server, tmp_path):
    image = tmp_path / "bag.jpg"
    Image.new("RGB", (90, 50), (180, 30, 40)).save(image)
    common = ("--url", server.url, "--direction", "handbags2shoes")
    done = _client(*common, image, "-o", tmp_path / "out" / "shoe.png")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "out" / "shoe.png").size == (32, 32)
    second = tmp_path / "other.png"
    Image.new("L", (10, 90)).save(second)
    done = _client(*common, image, second, "-o", tmp_path / "several")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "several").iterdir()} == {"bag.png", "other.png"}
    for arguments, reason in (
        ((*common, tmp_path / "absent.jpg"), "absent.jpg"),
        ((*common, __file__, "-o", tmp_path / "x.png"), "not a JPEG, PNG, GIF or WebP"),
        ((*common, second, "-o", second), "would be overwritten"),
        ((*common[:3], "bags2boots", image), "serves no model bags2boots"),
        ((*common[:2], image), "give --direction=both, or one of: handbags2shoes, shoes2handbags"),
        ((*common, image, second, "-o", tmp_path / "x.png"), "name a folder"),
        ((*common, tmp_path, "-o", tmp_path / "in"), "is within"),
        ((*common, "--version=9", image), "no version 9 of handbags2shoes; it has 1"),
        (("--url=localhost:1", *common[2:], image), "must look like http://"),
        (("--url=http://localhost:1", "--retries=0", *common[2:], image), "is it running?"),
    ):
        failed = _client(*arguments)
        assert failed.returncode == 1 and reason in failed.stderr, failed.stderr
        assert "Traceback" not in failed.stderr


def test_the_client_takes_folders_and_both_directions(server, tmp_path):
    for name in ("bag.jpg", "inner/bag.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (90, 45), (180, 30, 40)).save(tmp_path / "photos" / name)
    output = tmp_path / "out"
    done = _client(
        "--url", server.url, "--direction=both", "--side_by_side", tmp_path / "photos", "-o", output
    )
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(output)) for path in output.rglob("*.png")}
    assert found == {
        f"{direction}/{name}"
        for direction in ("handbags2shoes", "shoes2handbags")
        for name in ("bag.png", "inner/bag.png")
    }
    with Image.open(output / "handbags2shoes" / "bag.png") as both:
        assert both.size == (64 + 32, 32) and both.getpixel((5, 5))[0] > 150


def test_the_client_converts_only_what_the_graph_does_not_read(tmp_path):
    for name, options in {"a.jpg": {}, "b.png": {}, "d.webp": {}}.items():
        Image.new("RGB", (20, 10), "red").save(tmp_path / name, **options)
        assert read_for_server(tmp_path / name) == (tmp_path / name).read_bytes()
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "animated.webp", save_all=True, append_images=frames[1:])
    Image.new("1", (6000, 6000)).save(tmp_path / "large.png")
    for name, size in {
        "c.gif": (20, 10),
        "e.bmp": (20, 10),
        "f.avif": (20, 10),
        "g.heic": (20, 10),
    }.items():
        if name == "g.heic":
            pytest.importorskip("pillow_heif").register_heif_opener()
        Image.new("RGB", size, "red").save(tmp_path / name)
    expected = {
        "animated.webp": (20, 10), "large.png": (3000, 3000), "c.gif": (20, 10), "e.bmp": (20, 10),
        "f.avif": (20, 10), "g.heic": (20, 10),
    }  # fmt: skip
    for name, size in expected.items():
        with Image.open(io.BytesIO(read_for_server(tmp_path / name))) as image:
            assert image.format == "PNG" and image.size == size, name
            if name != "large.png":
                assert image.getpixel((0, 0))[0] > 240


def _http(body: bytes, status="200 OK", headers="") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_http(b"<html>"), "answered something else"),
        (_http(b""), "answered something else"),
        (_http(b"[" * 100_000), "answered something else"),
        (_http(b"{}"), "answered something else"),
        (_http(b'{"outputs": null}'), "answered something else"),
        (_http(b'{"outputs": 5}'), "answered something else"),
        (_http(b'{"outputs": [{"b64": 5}]}'), "answered something else"),
        (_http(b'{"outputs": [{"b64": "%"}]}'), "answered something else"),
        (_http(b'{"outputs": [{"b32": ""}]}'), "answered something else"),
        (_http(b'{"outputs": [[1], [1, 2]]}'), "answered something else"),
        (_http(b'{"outputs": {"image_bytes": {"a": 1}}}'), "answered something else"),
        (_http(b'{"outputs": {"images": []}}'), "sent 0 images, 1 were requested"),
        (_http(b'{"outputs": []}'), "sent 0 images, 1 were requested"),
        (_http(b'{"outputs": [{"b64": ""}]}'), "not a PNG image"),
        (_http(b'{"outputs": [{"b64": "R0lGODlh"}]}'), "not a PNG image"),
        (_http(b'{"outputs": [0.5]}'), "not a PNG image"),
        (_http(b"", "307 Moved", "Location: http://127.0.0.1:1/\r\n"), "is not followed"),
        (_http(gzip.compress(bytes(1 << 20)), headers="Content-Encoding: gzip\r\n"), "compresses"),
        (_http(b'{"error": "\\u001b[2Jgone"}', "400 Bad"), "answered 400: ?[2Jgone"),
        (_http(b"\x1b[2J", "500 Bad"), "answered 500: ?[2J"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "http://127.0.0.1"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(70 << 20), "more than 64 MiB"),
        (b"nonsense\r\n\r\n", "is it running?"),
        (_http(b'{"error": "x"}', "404 Not Found"), "serves no model"),
    ],
)
def test_the_client_survives_any_answer(answer, reason):
    client = create_client(_Scripted(*[answer] * 3).url, timeout_secs=5, retries=0)
    with pytest.raises(ServingError, match=re.escape(reason)) as raised:
        client.translate("handbags2shoes", [b""])
    assert "\x1b" not in str(raised.value) and len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "versions", [{"../../etc": 1}, {"/tmp/x": 1}, {"\x1b[31m": 1}, [1, 2], {"": 1}]
)
def test_names_of_a_server_never_become_paths(versions, tmp_path):
    client = _Scripted(*[(200, {"versions": versions})] * 9)
    done = _client("--url", client.url, "--direction=both", "--retries=0", __file__, "-o", tmp_path)
    assert done.returncode == 1 and "give --direction" in done.stderr
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_one_bad_file_does_not_stop_a_folder(server, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.db").write_bytes(b"no image")
    Image.new("RGB", (20, 10), "red").save(tmp_path / "in" / "b.png")
    done = _client(
        "--url", server.url, "--direction=handbags2shoes", tmp_path / "in", "-o", tmp_path / "out"
    )
    assert done.returncode == 1 and "a.db" in done.stderr
    assert (tmp_path / "out" / "b.png").is_file()


def test_the_client_ends_when_a_server_answers_byte_by_byte():
    started = time.monotonic()
    with pytest.raises(ServingError, match="did not answer within"):
        create_client(_Scripted("drip").url, timeout_secs=0.5, retries=0).translate("a", [b""])
    assert time.monotonic() - started < 8


class _Scripted:
    """A server that answers each connection with the next of some answers.

    An answer is bytes to send as they are, status and content of an error or of outputs, "drip" for
    headers that come a byte at a time, or None for silence.
    """

    def __init__(self, *answers):
        import threading

        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._serve, args=(answers,), daemon=True).start()

    def _serve(self, answers):
        for answer in answers:
            connection, _ = self._socket.accept()
            self.connections += 1
            with connection:
                connection.recv(65536)
                if answer is None:
                    time.sleep(3)
                    continue
                if answer == "drip":
                    with contextlib.suppress(OSError):
                        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Filler: x\r\n" * 9:
                            connection.sendall(bytes([byte]))
                            time.sleep(0.1)
                    continue
                if isinstance(answer, bytes):
                    with contextlib.suppress(OSError):
                        connection.sendall(answer)
                    continue
                status, content = answer
                body = json.dumps(content).encode()
                head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n"
                head += "Connection: close\r\n\r\n"
                connection.sendall(head.encode() + body)


def test_the_client_tries_again_what_may_pass():
    scripted = _Scripted(
        (503, {"error": "starting"}), (503, {"error": "starting"}), (200, {"outputs": [0.5]})
    )
    inputs = {"images": np.zeros((1, 2), np.float32)}
    answer = create_client(scripted.url, retries=3).predict("m", "serving_default", inputs)
    assert answer["translated"].tolist() == [0.5] and scripted.connections == 3
    scripted = _Scripted((503, {"error": "starting"}), (503, {"error": "starting"}))
    with pytest.raises(ServingError, match="answered 503: starting"):
        create_client(scripted.url, retries=1).predict("m", "serving_default", inputs)


def test_the_client_does_not_wait_for_ever_nor_repeat_what_took_too_long():
    scripted = _Scripted(None, None)
    started = time.monotonic()
    with pytest.raises(ServingError, match=r"did not answer within 0\.5 s"):
        create_client(scripted.url, timeout_secs=0.5, retries=3).predict("m", "s", {})
    assert time.monotonic() - started < 2 and scripted.connections == 1


def test_a_folder_without_an_export_is_refused(tmp_path):
    command = [sys.executable, "-m", "discogan_tf.serving.server", f"--export_dir={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "no export in" in done.stderr


def test_a_busy_port_is_reported_before_anything_is_loaded(server, exported):
    command = [sys.executable, "-m", "discogan_tf.serving.server", f"--export_dir={exported}"]
    done = subprocess.run([*command, f"--port={server.port}"], capture_output=True, text=True)
    assert done.returncode == 1 and "give another --port" in done.stderr
    assert "ready after" not in done.stderr


def test_the_root_answers_people(server):
    answer = requests.get(server.url + "/")
    assert answer.status_code == 200 and "handbags2shoes:predict" in answer.text
    assert requests.get(server.url + "/health/").status_code == 404  # No redirect.


@pytest.mark.slow
def test_a_minute_of_good_and_bad_requests(exported, serve):
    server = serve(exported, "--request_timeout_secs=2")
    report = run(server, exported / "handbags2shoes" / "1", seconds=60)
    assert not report["failures"], report
    assert report["good_requests"] > 100 and report["bad_requests"] > 100
