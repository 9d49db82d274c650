import shutil

import numpy as np
import pytest

from discogan_tf.export import golden
from discogan_tf.serving.store import Store


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


def _break(folder):
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"not a graph")


def test_a_start_with_a_broken_newest_version_serves_the_one_before(copy):
    _break(copy / "handbags2shoes" / "2")
    _break(copy / "handbags2shoes" / "3")
    store = Store(copy)
    store.refresh()
    assert {name: version.number for name, version in store.versions.items()} == {
        "handbags2shoes": 1,
        "shoes2handbags": 1,
    }
    assert (
        "version 3" in store.errors["handbags2shoes"]
        and "version 2" in store.errors["handbags2shoes"]
    )
    shutil.rmtree(copy / "handbags2shoes" / "2")
    shutil.rmtree(copy / "handbags2shoes" / "3")
    store.refresh()
    assert not store.errors


def test_a_version_replaced_under_its_number_is_loaded_anew(copy):
    store = Store(copy)
    store.refresh()
    before = store.versions["handbags2shoes"]
    store.refresh()
    assert store.versions["handbags2shoes"] is before
    inputs = golden.read_golden(copy / "handbags2shoes" / "1")[0]["serving_default"]
    shutil.rmtree(copy / "handbags2shoes" / "1")
    shutil.copytree(copy / "shoes2handbags" / "1", copy / "handbags2shoes" / "1")
    store.refresh()
    answers = [
        version.run("serving_default", inputs)["translated"]
        for version in (before, store.versions["handbags2shoes"])
    ]
    assert not np.allclose(*answers)


def test_what_is_gone_is_not_served(copy):
    store = Store(copy)
    store.refresh()
    shutil.rmtree(copy / "handbags2shoes")
    store.refresh()
    assert list(store.versions) == ["shoes2handbags"]
