"""Captions beside images, and batches of them."""

import json

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import text
from discogan_tf.data.captions import Captions, Mismatches, load_captions
from discogan_tf.data.pipeline import BatchPlan, training_batches
from discogan_tf.errors import DataError


def _captions(classes) -> Captions:
    rows = [
        {"captions": [f"{color} {kind}", f"{kind} in {color}"], "type": kind, "color": color}
        for kind, color in classes
    ]
    kinds = sorted({kind for kind, _ in classes})
    unique = sorted(set(classes))
    characters = text.encode([caption for row in rows for caption in row["captions"]])
    return Captions(
        rows,
        characters.reshape(len(rows), 2, text.LENGTH),
        np.array([unique.index(one) for one in classes], np.int32),
        np.array([kinds.index(kind) for kind, _ in classes], np.int32),
    )


_CLASSES = [("boot", "red"), ("tote", "blue"), ("boot", "blue"), ("boot", "red"), ("pump", "red")]


def test_a_mismatch_is_of_another_class_and_half_are_of_the_same_type():
    captions = _captions(_CLASSES)
    rng = np.random.default_rng(0)
    indices = rng.integers(0, len(_CLASSES), 4000)
    others = Mismatches(captions).of(indices, rng.random((4000, 2), np.float32))
    assert (captions.classes[indices] != captions.classes[others]).all()
    boots = captions.kinds[indices] == 0
    same = (captions.kinds[indices] == captions.kinds[others])[boots]
    # The others are of any other class, some of which are boots.
    assert 0.5 < same.mean() < 0.8
    for index in range(len(_CLASSES)):  # Every possible mismatch occurs.
        expected = {i for i, one in enumerate(_CLASSES) if one != _CLASSES[index]}
        assert set(others[indices == index]) == expected


def test_the_largest_number_below_one_stays_within_the_candidates():
    captions = _captions(_CLASSES)
    largest = np.nextafter(np.float32(1), np.float32(0))
    indices = np.arange(len(_CLASSES))
    others = Mismatches(captions).of(indices, np.full((len(_CLASSES), 2), largest))
    assert (captions.classes[indices] != captions.classes[others]).all()


def test_captions_of_a_single_class_have_no_mismatch():
    with pytest.raises(DataError, match="one class"):
        Mismatches(_captions([("boot", "red")] * 3))


def _batches(steps, **plan):
    captions = _captions(_CLASSES)
    images = np.arange(len(_CLASSES), dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 2, 2, 3), np.uint8
    )
    plan = BatchPlan(batch_size=4, noise_size=3, seed=5, **plan)
    first = steps[0]
    data = training_batches({"image": images}, plan, first, captions)
    count = len(steps) * plan.local_replicas
    return captions, [batch for (batch,) in data.take(count).as_numpy_iterator()]


def test_captions_belong_to_their_images():
    captions, batches = _batches(range(20))
    chosen = set()
    for batch in batches:
        for index, of_text, of_wrong, kind in zip(
            np.rint(batch["image"][:, 0, 0, 0] * 255).astype(int),
            batch["text"], batch["wrong_text"], batch["class"], strict=True,
        ):  # fmt: skip
            row = captions.rows[index]
            assert text.decode(of_text) in row["captions"]
            chosen.add(text.decode(of_text))
            assert text.decode(of_wrong) not in row["captions"]
            assert kind == captions.classes[index]
    assert len(chosen) == len({c for row in captions.rows for c in row["captions"]})
    noise = np.concatenate([batch["noise"] for batch in batches])
    assert noise.shape == (80, 3) and abs(noise.mean()) < 0.2 and 0.8 < noise.std() < 1.2
    assert len(np.unique(noise)) == noise.size


def test_a_batch_depends_on_its_step_alone():
    _, all_batches = _batches(range(6))
    _, later = _batches(range(4, 6))
    for one, other in zip(all_batches[4:], later, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_replicas_share_a_batch():
    _, whole = _batches(range(2))
    _, parts = _batches(range(2), num_replicas=2, local_replicas=2)
    for step, batch in enumerate(whole):
        for key, value in batch.items():
            joined = np.concatenate([parts[2 * step][key], parts[2 * step + 1][key]])
            np.testing.assert_array_equal(joined, value)


def test_captions_on_disk(tmp_path):
    assert load_captions(tmp_path, "train") is None
    rows = [
        {"captions": ["red boot", "boot"], "type": "boot", "color": "red"},
        {"captions": ["thing"], "type": "", "color": "red"},
        {"captions": ["a boot"], "type": "boot", "color": "red"},
        {"captions": ["thing 2"], "type": "", "color": "red"},
    ]
    (tmp_path / "captions.json").write_text(json.dumps({"train": rows}))
    found = load_captions(tmp_path, "train")
    assert found.characters.shape == (4, 2, text.LENGTH)
    assert [text.decode(one) for one in found.characters[1]] == ["thing", "thing"]
    assert found.classes[0] == found.classes[2]
    assert len(set(found.classes.tolist())) == 3  # Without a type, a class of its own.
    assert found.words() == {"red", "boot", "thing", "a", "2"}
    assert found.take(np.array([2])).rows == [rows[2]]
    rows[0]["captions"] = [f"boot {number}" for number in range(20)]
    (tmp_path / "captions.json").write_text(json.dumps({"train": rows}))
    found = load_captions(tmp_path, "train")
    used = {word for one in found.characters[0] for word in text.decode(one).split()}
    assert "15" in used <= found.words() and "16" not in found.words()
    (tmp_path / "captions.json").write_text("{")
    with pytest.raises(DataError, match="corrupt"):
        load_captions(tmp_path, "train")


def test_numbers_for_text_are_not_those_for_noise():
    from discogan_tf.data import order

    uniform = order.random_numbers(tf.constant(0, tf.int64), 64, 4, seed=1)
    normal = order.random_numbers(tf.constant(0, tf.int64), 64, 4, seed=1, normal=True)
    assert float(tf.reduce_min(uniform)) >= 0 and float(tf.reduce_max(uniform)) < 1
    assert abs(np.corrcoef(np.ravel(uniform), np.ravel(normal))[0, 1]) < 0.3


def test_a_caption_of_another_class_that_describes_the_image_is_not_wrong():
    captions = _captions([("boot", "red"), ("boot", "blue"), ("tote", "red"), ("tote", "blue")] * 3)
    both = text.encode(["boot"])[0]
    captions.characters[::4, 0] = captions.characters[1::4, 0] = both  # Red and blue ones.
    images = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    data = training_batches({"image": images}, BatchPlan(batch_size=12), 0, captions)
    for (batch,) in data.take(30).as_numpy_iterator():
        indices = np.rint(batch["image"][:, 0, 0, 0] * 255).astype(int)
        for index, wrong in zip(indices, batch["wrong_text"], strict=True):
            assert not (captions.characters[index] == wrong).all(1).any()
