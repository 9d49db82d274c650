import math

import pytest
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.errors import CheckpointError
from discogan_tf.models import create_model
from discogan_tf.runs.checkpoints import (
    BestCheckpoints,
    Checkpoints,
    last_checkpoint,
    restore_generators,
)
from discogan_tf.runs.manifest import complete_steps


@pytest.fixture(scope="module")
def model():
    return create_model(Config(image_size=32, base_filters=4), tf.float32)


def _mark(model, value):
    """Makes the weights of a moment recognizable."""
    model.generators["a_to_b"].to_image.bias.assign([value] * 3)


def _restored(workdir, model, which):
    step = restore_generators(workdir, model, which)
    return step, float(model.generators["a_to_b"].to_image.bias[0])


def test_the_lowest_score_wins_for_each_direction_and_for_their_mean(model, tmp_path):
    best = BestCheckpoints(tmp_path, model)
    for step, (one, other), better in (
        (1, (50, 90), ["best_there", "best_back", "best"]),
        (2, (60, 70), ["best_back", "best"]),
        (3, (40, 99), ["best_there"]),
        (4, (math.nan, 80), []),
        (5, (45, 75), ["best"]),
    ):
        _mark(model, step)
        assert sorted(best.update(step, {"there": one, "back": other})) == sorted(better)
    assert _restored(tmp_path, model, "best") == (5, 5)
    assert _restored(tmp_path, model, "best_there") == (3, 3)
    assert _restored(tmp_path, model, "best_back") == (2, 2)
    assert len(list(tmp_path.glob("best/*/*.index"))) == 3  # Superseded ones are removed.


def test_the_record_outlives_the_process(model, tmp_path):
    _mark(model, 7)
    BestCheckpoints(tmp_path, model).update(7, {"there": 40})
    _mark(model, 8)
    assert BestCheckpoints(tmp_path, model).update(8, {"there": 60}) == []
    assert _restored(tmp_path, model, "best") == (7, 7)


@pytest.mark.parametrize("killed_at", [7, 8])
def test_what_a_kill_left_is_removed(model, tmp_path, killed_at):
    """TensorFlow leaves a folder of parts; the project half a file or half a manifest."""
    for name in ("there", "mean"):
        parts = tmp_path / "best" / name / f"step-{killed_at}_temp"
        parts.mkdir(parents=True)
        (parts / "part-00000-of-00001.index").write_bytes(b"half")
        (tmp_path / "best" / name / "step-5.index").write_bytes(b"half")
        (tmp_path / "best" / name / f"step-{killed_at}.manifest.part").write_bytes(b"half")
    _mark(model, 8)
    BestCheckpoints(tmp_path, model).update(8, {"there": 40})
    assert _restored(tmp_path, model, "best") == (8, 8)
    left = {path.name for path in tmp_path.glob("best/*/*")}
    assert left == {"step-8.index", "step-8.data-00000-of-00001", "step-8.manifest"}


def test_a_corrupt_later_checkpoint_does_not_push_out_good_ones(model, tmp_path):
    checkpoints = Checkpoints(tmp_path, model, {}, keep=1)
    checkpoints.save(400)
    checkpoints.save(800)
    assert complete_steps(tmp_path) == [800]
    for path in tmp_path.glob("step-800.data*"):
        path.write_bytes(b"corrupt")
    checkpoints.save(450)
    assert complete_steps(tmp_path) == [450] and last_checkpoint(tmp_path).endswith("step-450")


def test_what_is_missing_is_an_error(model, tmp_path):
    with pytest.raises(CheckpointError, match="nothing was evaluated yet"):
        restore_generators(tmp_path, model, "best")
    BestCheckpoints(tmp_path, model).update(7, {"there": 40})
    with pytest.raises(
        CheckpointError, match="no checkpoint best_back; choose from best_there, best"
    ):
        restore_generators(tmp_path, model, "best_back")
    (tmp_path / "best" / "best.json").write_text("{")
    with pytest.raises(CheckpointError, match="corrupt"):
        restore_generators(tmp_path, model, "best")
