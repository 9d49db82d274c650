import shutil
import weakref

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


def test_a_replaced_version_is_freed(copy):
    store = Store(copy)
    store.refresh()
    before = [weakref.ref(version) for version in store.versions.values()]
    assert len(before) == 2
    for name in store.versions:
        shutil.copytree(copy / name / "1", copy / name / "2")
    store.refresh()
    assert {version.number for version in store.versions.values()} == {2}
    assert all(version() is None for version in before)


def test_a_version_that_misses_its_golden_answers_is_not_served(copy):
    store = Store(copy)
    store.refresh()
    shutil.copytree(copy / "handbags2shoes" / "1", copy / "handbags2shoes" / "2")
    arrays = golden.extra_folder(copy / "handbags2shoes" / "2") / "golden" / "arrays.npz"
    changed = {key: value + 0.1 * (".output." in key) for key, value in np.load(arrays).items()}
    np.savez(arrays, **changed)
    store.refresh()
    assert store.versions["handbags2shoes"].number == 1
    assert "does not reproduce its golden answers" in store.errors["handbags2shoes"]


def test_a_dangling_link_is_one_models_error(copy):
    broken = copy / "handbags2shoes" / "2"
    shutil.copytree(copy / "handbags2shoes" / "1", broken)
    (file,) = (broken / "variables").glob("*.index")
    file.unlink()
    file.symlink_to("nowhere")
    store = Store(copy)
    store.refresh()
    assert {name: version.number for name, version in store.versions.items()} == {
        "handbags2shoes": 1,
        "shoes2handbags": 1,
    }
    assert list(store.errors) == ["handbags2shoes"]


def test_what_is_gone_is_not_served(copy):
    store = Store(copy)
    store.refresh()
    shutil.rmtree(copy / "handbags2shoes")
    store.refresh()
    assert list(store.versions) == ["shoes2handbags"]
