import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from discogan_tf.errors import DataError
from discogan_tf.evaluation.evaluated_run import load_evaluated_run
from discogan_tf.report import report
from discogan_tf.reporting.curves import draw_curves
from discogan_tf.reporting.records import read_records

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=5000",
)


@pytest.fixture(scope="module")
def page(make_run, tmp_path_factory):
    """A report of a run that logged two sample grids, losses, metrics and a warning."""
    folder = tmp_path_factory.mktemp("report")
    workdir = folder / "run"
    make_run(workdir)
    (workdir / "samples").mkdir()
    for step, color in ((5, (200, 0, 0)), (7, (0, 0, 200))):
        Image.new("RGB", (300, 200), color).save(workdir / "samples" / f"step_{step:06d}.png")
    metrics = (
        '{"step": 7, "metrics": {"handbags2shoes": {"score": 50}, "shoes2handbags": {"score": 60}}}'
    )
    (workdir / "metrics.jsonl").write_text(
        '{"step": 1, "generator_total": 2, "adversarial_a_to_b": 1, "discriminator_a_real": 0.5}\n'
        '{"step": 7, "generator_total": 1, "adversarial_a_to_b": 1, "discriminator_a_real": 0.6}\n'
        + metrics
        + '\n{"step": 7, "warning": "colors are <inverted>"}\n{"step": 8, "gener'
    )
    command = [
        sys.executable,
        "-m",
        "discogan_tf.report",
        f"--workdir={workdir}",
        f"--output={folder / 'r.html'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "r.html"


def test_the_page_has_all_its_parts_and_nothing_from_elsewhere(page):
    content = page.read_text()
    for words in (
        "Step 7: colors are &lt;inverted&gt;",
        "sliced_wasserstein",
        "--image_size=32",
        "tensorflow",
        "sample_edges2shoes/photo",
        "the best above, the worst below",
        "bootstrap interval",
    ):
        assert words in content
    assert content.count("<svg") >= 4
    sources = re.findall(r'(?:src|href)="([^"]*)"', content)
    assert len(sources) >= 6
    assert all(source.startswith(("data:image/webp;base64,", "#")) for source in sources)
    assert not re.search(r"@import|url\((?!#)|<link|<iframe|fetch\(|XMLHttpRequest", content)


def test_records_are_read_even_if_the_last_line_is_cut_off(page):
    records = read_records(page.parent / "run")
    assert records.losses["generator_total"] == [(1, 2.0), (7, 1.0)]
    assert records.metrics["score"] == {"handbags2shoes": [(7, 50)], "shoes2handbags": [(7, 60)]}
    assert records.warnings == [(7, "colors are <inverted>")] and list(records.grids) == [5, 7]
    with pytest.raises(DataError, match="train first"):
        read_records(page.parent)


def test_a_run_of_cyclegan_has_a_report(make_run, cyclegan, tmp_path):
    config = make_run(tmp_path, **cyclegan)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "generator_total": 2}\n')
    content = report(config, "last")
    for words in ("--architecture=resnet", "handbags2shoes", "shoes2handbags", "steganography"):
        assert words in content


def test_a_run_without_validation_images_has_a_report_of_training_images(
    make_run, data_dir, tmp_path, capsys
):
    config = make_run(tmp_path / "run", model="gan")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1, "generator_total": 2}\n')
    shutil.copytree(data_dir, tmp_path / "data")
    for file in (tmp_path / "data").glob("*/photo/*/*/names.json"):
        names = json.loads(file.read_text())
        file.write_text(json.dumps(names | {"val": names["val"][:1]}))
    config = dataclasses.replace(config, data_dir=str(tmp_path / "data"))
    assert "Best and worst training images" in report(config, "last", 0)
    assert "has 1 validation image(s). Training images are measured" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"1 val image.*--split=train measures training images"):
        load_evaluated_run(config, "val", "last", 9)


def test_the_same_curves_give_the_same_image_and_long_ones_stay_short():
    long = [(step, float(np.sin(step))) for step in range(20_000)]
    assert draw_curves("x", {"a": long}) == draw_curves("x", {"a": long})
    assert len(draw_curves("x", {"a": long})) < 60_000


@pytest.mark.skipif(not _CHROMIUM, reason="no chromium on PATH")
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it_at_any_width_and_the_slider_works(page, width, tmp_path):
    """The page moves its own slider, and its title says what it then shows and whether it fits."""
    probe = (
        "<script>var s = document.getElementById('slider');"
        "s.value = 0; s.dispatchEvent(new Event('input'));"
        "var images = [...document.getElementById('slider_box').children];"
        "var seen = images.map(image => !image.hidden && image.naturalWidth);"
        "document.title = [seen, document.getElementById('slider_label').textContent,"
        "document.documentElement.scrollWidth <= window.innerWidth].join('|');</script></body>"
    )
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("</body>", probe))
    log = tmp_path / "net.json"
    done = subprocess.run(
        [_CHROMIUM, *_CHROMIUM_FLAGS, f"--user-data-dir={tmp_path / 'profile'}",
         f"--window-size={width},900", f"--log-net-log={log}", "--dump-dom", probed.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "<title>300,false|Sample grid, step 5|true</title>" in done.stdout, done.stdout[:500]
    # Chromium contacts Google at every start; the page must contact nobody.
    hosts = set(re.findall(r'"url":"(?:https?|wss?)://([^/:"]+)', log.read_text()))
    assert {host for host in hosts if not host.endswith(("google.com", "googleapis.com"))} == set()
