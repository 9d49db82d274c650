"""R-precision by encoders that are right by construction."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import text
from discogan_tf.evaluation.text_precision import TextEvaluator

_LEVELS = 4


def _encoders(size):
    """Each level of gray is a class, and so is the first letter of a text, from a on."""
    (first,) = text.encode(["a"])[:, 0]

    def encode_images(images):
        assert images.shape[1:] == (size, size, 3)
        levels = tf.cast(tf.round(tf.reduce_mean(images, (1, 2, 3)) * 10), tf.int32)
        return tf.one_hot(levels, _LEVELS)

    return SimpleNamespace(
        text=lambda characters: tf.one_hot(characters[:, 0] - first, _LEVELS), images=encode_images
    )


def _gray(levels, size=8):
    return np.broadcast_to(
        np.asarray(levels, np.float32)[:, None, None, None] / 10, (len(levels), size, size, 3)
    )


_CLASSES = np.arange(40) % _LEVELS
_TEXTS = ["abcd"[kind] for kind in _CLASSES]


@pytest.mark.parametrize("size", [4, 8, 16])
def test_images_of_their_text_are_as_good_as_real_ones(size):
    images = _gray(_CLASSES)
    found = TextEvaluator(_encoders(size), size).measure(_TEXTS, _CLASSES, images, images)
    assert found["r_precision"].value == found["r_precision"].reference == 1
    assert found["text_gap"].value == found["text_gap"].reference == 1
    assert "chance is 0.03" in found["r_precision"].note  # One of 31: 30 are of other classes.


def test_images_of_other_texts_are_not():
    """A quarter of the images shows another class than its text says."""
    shown = np.where(np.arange(40) % 16 < 4, (_CLASSES + 1) % _LEVELS, _CLASSES)
    wrong = (shown != _CLASSES).mean()
    found = TextEvaluator(_encoders(8), 8).measure(
        _TEXTS, _CLASSES, _gray(shown), _gray(_CLASSES), 50
    )
    measured = found["r_precision"]
    assert measured.value == pytest.approx(1 - wrong) and measured.reference == 1
    assert measured.low < measured.value < measured.high
    # Of the 30 other texts, ten say what a wrong image shows.
    assert found["text_gap"].value == pytest.approx(1 - wrong * 4 / 3)


def test_texts_of_one_class_cannot_be_told_apart():
    images = _gray([1, 1])
    assert (
        TextEvaluator(_encoders(8), 8).measure(["b", "b"], np.array([1, 1]), images, images) == {}
    )
