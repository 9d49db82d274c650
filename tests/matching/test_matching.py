"""Matches in a catalog: features, index, command, endpoint."""

import base64
import csv
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import requests
from PIL import Image

from discogan_tf import images as pixels
from discogan_tf.errors import ConfigError, DataError
from discogan_tf.match import index, query
from discogan_tf.matching import catalog as catalogs
from discogan_tf.matching.catalog import Catalog, build
from discogan_tf.matching.features import SIZE, Features, fit

_COLORS = {"red": (200, 30, 30), "green": (30, 150, 60), "blue": (30, 60, 190), "gray": (90,) * 3}


def _item(color, side=40):
    """A square of one color on white."""
    image = Image.new("RGB", (64, 64), "white")
    image.paste(color, (10, 10, 10 + side, 10 + side))
    return image


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of 12 items: four colors in three sizes."""
    folder = tmp_path_factory.mktemp("catalog") / "photos"
    for name, color in _COLORS.items():
        for side in (20, 30, 40):
            path = folder / name / f"{side}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            _item(tuple(value + side - 20 for value in color), side).save(path)
    return folder


@pytest.fixture
def indexed(photos, tmp_path):
    build(photos, tmp_path / "index")
    return tmp_path / "index"


def test_the_nearest_items_have_the_color_of_the_query(indexed):
    found = Catalog(indexed)
    assert len(found.items) == 12
    for name, color in _COLORS.items():
        image = np.asarray(_item(tuple(min(255, value + 12) for value in color), 35))
        matches = found.match(image, 3)
        assert {match.item.split("/")[0] for match in matches} == {name}
        distances = [match.distance for match in matches]
        assert distances == sorted(distances)
    exact = pixels.read_image(found.images / "red" / "20.png")
    assert found.match(exact, 1)[0] == ("red/20.png", pytest.approx(0, abs=1e-3))
    assert len(found.match(exact, 500)) == 12


def test_network_features_are_fitted_to_the_catalog():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
    features, values = fit(images)
    np.testing.assert_allclose(values, features(images), atol=1e-4)
    if features.mean is None:
        pytest.skip("the extra [features] is not installed")
    assert values.shape == (40, 16 + 32)
    np.testing.assert_allclose(features.components.T @ features.components, np.eye(32), atol=1e-4)
    again = Features(features.mean, features.components)
    np.testing.assert_allclose(again(images[:3]), features(images)[:3], atol=1e-5)


def test_an_approximate_search_finds_the_same(photos, tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    build(photos, tmp_path / "exact")
    monkeypatch.setattr(catalogs, "_MANY", 5)
    build(photos, tmp_path / "approximate")
    image = np.asarray(_item((180, 40, 40), 33))
    exact, approximate = (Catalog(tmp_path / name) for name in ("exact", "approximate"))
    assert approximate._approximate is not None and exact._approximate is None
    for one, other in zip(exact.match(image, 5), approximate.match(image, 5), strict=True):
        assert one.item == other.item
        assert one.distance == pytest.approx(other.distance, abs=1e-3)


def test_a_query_writes_json_csv_and_a_contact_sheet(photos, make_run, tmp_path, capsys):
    make_run(tmp_path / "run")
    for compare in ("original", "translation"):
        folder = tmp_path / compare
        assert index(photos, folder, tmp_path / "run", "shoes", compare) == []
        _item((200, 30, 30)).save(tmp_path / "bag.png")
        query(folder, tmp_path / "bag.png", 5, tmp_path / "out")
        content = json.loads((tmp_path / "out" / "matches.json").read_text())
        assert content["compared"] == compare and len(content["matches"]) == 5
        with (tmp_path / "out" / "matches.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["image"] for row in rows] == [row["image"] for row in content["matches"]]
        # Query, translation and matches, each in a row.
        assert Image.open(tmp_path / "out" / "matches.png").height == 3 * (128 + 4) + 4
    assert "Indexed 12 image(s)" in capsys.readouterr().out


def test_names_of_items_need_not_be_text(photos, make_run, tmp_path):
    folder = tmp_path / "latin"
    folder.mkdir()
    for number, photo in enumerate(sorted(photos.rglob("*.*"))[:3]):
        name = b"/H\xfcte%d" % number + os.fsencode(photo.suffix)
        shutil.copy(photo, os.fsencode(folder) + name)
    make_run(tmp_path / "run")
    assert index(folder, tmp_path / "index", tmp_path / "run", "shoes", "original") == []
    _item((200, 30, 30)).save(tmp_path / "bag.png")
    query(tmp_path / "index", tmp_path / "bag.png", 3, tmp_path / "out")
    assert (tmp_path / "out" / "matches.csv").read_bytes().count(b"H\xfcte") == 3


def test_errors_say_what_to_do(photos, make_run, tmp_path):
    make_run(tmp_path / "run")
    with pytest.raises(ConfigError, match="this run translates to shoes or handbags"):
        index(photos, tmp_path / "index", tmp_path / "run", "boots", "original")
    with pytest.raises(ConfigError, match="needs --workdir"):
        index(photos, tmp_path / "index", None, None, "translation")
    with pytest.raises(ConfigError, match="--domain needs --workdir"):
        index(photos, tmp_path / "index", None, "shoes", "original")
    with pytest.raises(DataError, match="no such file or folder"):
        index(tmp_path / "absent", tmp_path / "index", None, None, "original")
    with pytest.raises(DataError, match="is not an index"):
        build(photos, tmp_path / "run")
    with pytest.raises(DataError, match="no index in"):
        Catalog(tmp_path / "absent")
    build(photos, tmp_path / "index")
    (tmp_path / "index" / "features.npy").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="corrupt"):
        Catalog(tmp_path / "index")
    command = [sys.executable, "-m", "discogan_tf.match"]
    for arguments, reason in (
        ([], "say what to do: index or query"),
        (["index"], "give --images"),
        (["query"], "give --index"),
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True)
        assert done.returncode == 1 and reason in done.stderr + done.stdout


def test_an_unreadable_image_is_named_and_skipped(photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    _item((9, 9, 9)).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"nothing")
    count, unreadable = build(folder, tmp_path / "index")
    assert count == 1 and "bad.png" in unreadable[0]


def test_the_server_answers_requests_for_matches(exported, indexed, serve):
    server = serve(exported, f"--index={indexed}", "--max_request_mib=1")
    file = io.BytesIO()
    _item((30, 150, 60), 25).save(file, "PNG")
    image = {"b64": base64.b64encode(file.getvalue()).decode()}

    def post(body):
        answer = requests.post(f"{server.url}/v1/match", json=body, timeout=30)
        return answer.status_code, answer.json()

    status, content = post({"image": image, "num": 2})
    assert status == 200
    assert [match["image"].split("/")[0] for match in content["matches"]] == ["green", "green"]
    for body, reason in (
        ({}, "the body must be"),
        ([], "the body must be"),
        ({"image": {"b64": "%"}}, "the body must be"),
        ({"image": image, "num": 0}, '"num" must be'),
        ({"image": image, "num": True}, '"num" must be'),
        ({"image": {"b64": ""}}, "image: not a JPEG"),
    ):
        status, content = post(body)
        assert status == 400 and reason in content["error"], content
    assert requests.get(f"{server.url}/v1/match", timeout=30).status_code == 405
