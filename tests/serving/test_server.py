"""The server over real sockets."""

import base64
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import requests

from benchmarks.serving_faults import bad_requests, run
from discogan_tf.errors import ServingError
from discogan_tf.export import golden
from discogan_tf.serving.app import run_in_parts
from discogan_tf.serving.client import create_client


@pytest.fixture(scope="module")
def answers(exported):
    return golden.read_golden(exported / "handbags2shoes" / "1")


@pytest.fixture(scope="module")
def url(server):
    return f"{server.url}/v1/models/handbags2shoes"


def _post(url, body):
    answer = requests.post(url, json=body, timeout=30)
    return answer.status_code, answer.json()


def test_large_images_of_a_request_are_translated_a_few_at_a_time():
    """62 of 256 pixels fit into a request, and would take four times the planned memory."""

    class Version:
        def __init__(self):
            self.counts = []

        def run(self, signature, inputs):
            self.counts.append(len(inputs["images"]))
            return {"translated": inputs["images"]}

    for side, counts in ((256, [16, 16, 16, 14]), (64, [62])):
        version, images = Version(), np.zeros((62, side, side, 1), np.uint8)
        images[:, 0, 0, 0] = range(62)
        outputs = run_in_parts(version, "serving_default", {"images": images})
        assert version.counts == counts
        np.testing.assert_array_equal(outputs["translated"], images)


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
