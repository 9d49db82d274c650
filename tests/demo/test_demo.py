"""The demo page, driven in a browser, and what it shows."""

import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import requests
import tensorflow as tf
from PIL import Image

from discogan_tf.demo.page import _read, _sentence
from discogan_tf.demo.sources import ExportSource, RunSource
from discogan_tf.errors import ConfigError, ExportError
from tests.cyclegan import CYCLEGAN

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def url(exported, tmp_path_factory):
    """A page of an export, which leaves no file behind."""
    temporary = tmp_path_factory.mktemp("page")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "discogan_tf.demo", f"--export_dir={exported}"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    process = subprocess.Popen([*command, f"--port={port}"], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert requests.get(url, timeout=5).status_code == 200
                break
            except requests.ConnectionError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)
    assert not list(temporary.glob("discogan_demo_*"))


@pytest.fixture
def browser():
    if _CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [pytest.param(1200, marks=pytest.mark.slow), 390])
def test_an_upload_is_translated_and_a_bad_file_gets_a_message(url, browser, tmp_path, width):
    Image.new("RGB", (90, 50), (180, 30, 40)).save(tmp_path / "bag.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    page = browser.new_page(viewport={"width": width, "height": 844})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    page.wait_for_selector("button:has-text('Translate')")
    page.set_input_files("input[type=file]", tmp_path / "bag.png")
    page.wait_for_selector("#notes:has-text('Generated at 32 x 32 pixels, shown enlarged')")
    source = page.get_attribute("[aria-label='Translation'] img, .image-frame img", "src")
    assert source
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(address.startswith((url, "data:", "blob:")) for address in asked)  # Offline.
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    page.set_input_files("input[type=file]", tmp_path / "broken.png")
    page.wait_for_selector("text=This image cannot be read")
    page.close()


def test_the_keyboard_is_enough(url, browser, tmp_path):
    page = browser.new_page()
    page.goto(url)
    page.wait_for_selector("button:has-text('Translate')")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "Translate":
            break
    else:
        raise AssertionError("the button cannot be reached")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Choose, drop, paste or photograph an image first")
    page.close()


@pytest.mark.parametrize("settings", [{}, CYCLEGAN], ids=["discogan", "cyclegan"])
def test_a_run_shows_its_checkpoints_directions_examples_and_metrics(make_run, tmp_path, settings):
    make_run(tmp_path / "run", steps=(2, 4), **settings)
    source = RunSource(tmp_path / "run")
    assert source.directions == ["handbags2shoes", "shoes2handbags"] and not source.takes_text
    assert source.checkpoints == {"2": 2, "4": 4} and source.warnings == []
    examples = source.examples("shoes2handbags")
    assert 1 <= len(examples) <= 8 and examples[0].shape == (32, 32, 3)
    image = np.full((50, 90, 3), 99, np.uint8)
    results = [source.run(image, "handbags2shoes", name, 0) for name in source.checkpoints]
    for result in results:
        assert result.output.shape == result.reconstruction.shape == (32, 32, 3)
    assert "not evaluated yet" in source.quality()


def test_an_export_translates_as_its_run(exported):
    source = ExportSource(exported)
    assert source.directions == ["handbags2shoes", "shoes2handbags"]
    (example, *_) = source.examples("handbags2shoes")
    result = source.run(example, "handbags2shoes", "version 1", 0)
    np.testing.assert_array_equal(result.original, example)
    assert result.output.dtype == np.uint8 and result.reconstruction is not None
    assert "handbags2shoes" in source.quality() and "![" not in source.quality()


def test_directions_of_several_runs_have_all_cards_and_warnings(exported, tmp_path):
    both = shutil.copytree(exported, tmp_path / "exported")
    folder = both / "shoes2handbags" / "1"
    card = folder / "assets.extra" / "MODEL_CARD.md"
    card.write_text(card.read_text().replace("No warning held", "None held") + "\nAnother run.\n")
    source = ExportSource(both)
    assert "No warning held" in source.quality() and "Another run." in source.quality()


def test_a_page_translates_what_is_exported_beside_a_text_model(exported, tmp_path, capsys):
    both = shutil.copytree(exported, tmp_path / "exported")

    class FromText(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def generate(self, text):
            return {"image_bytes": text}

    module = FromText()
    signatures = {"generate_bytes": module.generate}
    tf.saved_model.save(module, str(both / "a_sentence" / "1"), signatures)
    source = ExportSource(both)
    assert source.directions == ["handbags2shoes", "shoes2handbags"] and not source.takes_text
    assert "not on this page, which translates images: a_sentence" in capsys.readouterr().out


def test_bad_inputs_get_a_message(tmp_path):
    import gradio

    Image.new("1", (6000, 6000)).save(tmp_path / "large.png")
    for path, reason in ((None, "Choose"), (str(tmp_path / "large.png"), "at most 25000000")):
        with pytest.raises(gradio.Error, match=reason):
            _read(path)
    with pytest.raises(gradio.Error, match="Write a sentence"):
        _sentence(" \n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give --workdir"),
        (("--workdir=absent",), "no run in"),
        (("--export_dir=absent",), "no export in"),
    ],
)
def test_without_anything_to_show_the_message_says_what_to_do(arguments, reason):
    command = [sys.executable, "-m", "discogan_tf.demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and reason in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_port_in_use_is_named(exported):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "discogan_tf.demo", f"--export_dir={exported}"]
        done = subprocess.run([*command, f"--port={port}"], capture_output=True, text=True)
    assert done.returncode == 1 and f"listen on 127.0.0.1:{port}" in done.stderr
    assert "give another --port" in done.stderr and "Traceback" not in done.stderr


def test_missing_runs_and_exports_are_errors(tmp_path):
    with pytest.raises(ConfigError, match="no run in"):
        RunSource(tmp_path)
    with pytest.raises(ExportError, match="no export in"):
        ExportSource(tmp_path)
