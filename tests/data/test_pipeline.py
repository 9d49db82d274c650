import numpy as np
import pytest

from discogan_tf.data.domains import load_domain
from discogan_tf.data.pipeline import BatchPlan, training_batches


def _numbered(count, size=4):
    """Images whose value is their number, and whose left column is 255."""
    images = np.repeat(np.arange(count, dtype=np.uint8), size * size * 3).reshape(
        count, size, size, 3
    )
    images[:, :, 0] = 255
    return images


_A, _B = _numbered(5), _numbered(7)


def _numbers(images):
    return np.rint(np.asarray(images)[:, 0, 1] * 255)[:, 0].astype(int).tolist()


def _take(count, plan, first_step=0):
    return list(
        training_batches({"a": _A, "b": _B}, plan, first_step).take(count).as_numpy_iterator()
    )


def test_batches_are_float_and_unaligned():
    ((batch,),) = _take(1, BatchPlan(batch_size=5))
    assert batch["a"].shape == (5, 4, 4, 3) and batch["a"].dtype == np.float32
    assert batch["a"].max() == 1.0
    assert sorted(_numbers(batch["a"])) == [0, 1, 2, 3, 4]
    ((batch,),) = (
        training_batches({"a": _B, "b": _B}, BatchPlan(batch_size=7)).take(1).as_numpy_iterator()
    )
    assert _numbers(batch["a"]) != _numbers(batch["b"])


def test_nothing_is_lost_across_epochs_of_unequal_size():
    steps = _take(35, BatchPlan(batch_size=2, updates_per_step=1))
    for domain, count in (("a", 5), ("b", 7)):
        seen = [n for (batch,) in steps for n in _numbers(batch[domain])]
        for epoch in range(70 // count):
            assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_updates_of_a_step_get_fresh_batches():
    twos = _take(3, BatchPlan(batch_size=2, updates_per_step=2))
    ones = _take(6, BatchPlan(batch_size=2, updates_per_step=1))
    flat = [batch for step in twos for batch in step]
    for two, (one,) in zip(flat, ones, strict=True):
        for domain in ("a", "b"):
            np.testing.assert_array_equal(two[domain], one[domain])


def test_resume_needs_only_the_step():
    plan = BatchPlan(batch_size=3, updates_per_step=2, flip=True, seed=5)
    for late, early in zip(_take(2, plan, first_step=4), _take(6, plan)[4:], strict=True):
        for late_batch, early_batch in zip(late, early, strict=True):
            for domain in ("a", "b"):
                np.testing.assert_array_equal(late_batch[domain], early_batch[domain])


@pytest.mark.parametrize("workers", [1, 2])
def test_replicas_share_the_global_batch(workers):
    (whole,) = _take(1, BatchPlan(batch_size=4, flip=True), first_step=3)
    local = 4 // workers
    parts = [
        element
        for worker in range(workers)
        for element in _take(
            local,
            BatchPlan(
                batch_size=4,
                flip=True,
                num_replicas=4,
                first_replica=worker * local,
                local_replicas=local,
            ),
            first_step=3,
        )
    ]
    for domain in ("a", "b"):
        shared = np.concatenate([part[0][domain] for part in parts])
        np.testing.assert_array_equal(whole[0][domain], shared)


def test_flip_mirrors_about_half_and_only_when_asked():
    def mirrored(flip):
        steps = _take(40, BatchPlan(batch_size=5, flip=flip))
        return np.mean([(batch["a"][:, 0, -1, 0] == 1.0).mean() for (batch,) in steps])

    assert mirrored(False) == 0
    assert 0.35 < mirrored(True) < 0.65


def test_crops_are_parts_of_images_at_any_place():
    gradient = np.arange(36, dtype=np.uint8).reshape(6, 6, 1).repeat(3, 2)
    images = np.stack([gradient] * 5)
    plan = BatchPlan(batch_size=5, crop_size=4, seed=3)
    places = set()
    for (batch,) in training_batches({"a": images}, plan).take(40).as_numpy_iterator():
        for crop in np.rint(batch["a"] * 255):
            row, column = divmod(int(crop[0, 0, 0]), 6)
            np.testing.assert_array_equal(crop, gradient[row : row + 4, column : column + 4])
            places.add((row, column))
    assert places == {(row, column) for row in range(3) for column in range(3)}


def test_replicas_share_the_crops_of_the_global_batch():
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), np.uint8)

    def take(**shares):
        plan = BatchPlan(batch_size=4, crop_size=6, flip=True, **shares)
        found = training_batches({"a": images}, plan, 3).take(shares.get("local_replicas", 1))
        return [batch["a"] for (batch,) in found.as_numpy_iterator()]

    (whole,) = take()
    np.testing.assert_array_equal(whole, np.concatenate(take(num_replicas=2, local_replicas=2)))


def test_images_on_the_disk_make_the_same_batches(data_dir):
    """Also from a later step on, where a resumed run starts."""
    stored = [
        load_domain(str(data_dir), f"sample_edges2{name}/photo", "train", 32).images
        for name in ("handbags", "shoes")
    ]
    plan = BatchPlan(batch_size=5, updates_per_step=2, flip=True, seed=3)
    for first_step in (0, 4):
        from_disk = list(
            training_batches(dict(zip("ab", stored, strict=True)), plan, first_step)
            .take(4)
            .as_numpy_iterator()
        )
        arrays = {key: images[:] for key, images in zip("ab", stored, strict=True)}
        in_memory = training_batches(arrays, plan, first_step).take(4)
        for one, other in zip(from_disk, in_memory.as_numpy_iterator(), strict=True):
            for batch, other_batch in zip(one, other, strict=True):
                for key in "ab":
                    np.testing.assert_array_equal(batch[key], other_batch[key])
