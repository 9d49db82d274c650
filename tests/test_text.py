"""Captions as numbers."""

import doctest

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf import text
from discogan_tf.data import color_names

_CAPTIONS = [
    "Café ﬁne  Red\tshoe",
    "日本 x",
    "",
    "½ cup Ⓐ ß İ",
    "x" * 150,
    "😀a",
    "  \u201cquoted\u201d \u2013 dash\u2019s  ",
    "a\u00a0 b \v",
    "e\u0301",
]


def test_tensorflow_reads_a_caption_as_python_does():
    expected = text.encode(_CAPTIONS)
    found = text.encode_bytes(tf.constant(_CAPTIONS))
    assert found.dtype == tf.int32 and found.shape == (len(_CAPTIONS), text.LENGTH)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("caption", "read"),
    [
        ("Café ﬁne  Red\tshoe", "cafe fine red shoe"),
        ("日本 x", "?? x"),
        ("½ cup", "1/2 cup"),
        ("\u201cquoted\u201d \u2013 dash\u2019s", '"quoted" - dash\'s'),
        ("x" * 150, "x" * 99),
        ("", ""),
    ],
)
def test_case_accents_and_typography_do_not_matter(caption, read):
    assert text.decode(text.encode([caption])[0]) == read


def test_99_characters_are_read_whole():
    assert not text.is_cut(" " + "x" * 99) and text.is_cut("x" * 100) and text.is_cut("½" * 34)


def test_invalid_utf_8_is_unknown_characters():
    found = text.encode_bytes(tf.constant([b"\xff\xfeab"]))[0, :5]
    assert found.numpy().tolist() == [text.UNKNOWN] * 2 + [2, 3, text.PADDING]


def test_unknown_characters_and_words():
    assert text.unknown_characters("naïve 日 日 😀") == ["日", "😀"]
    assert text.words("A Blue-ish café, 2 pairs!") == ["a", "blue", "ish", "cafe", "2", "pairs"]


def test_the_alphabet_has_each_character_once():
    assert len(set(text.ALPHABET)) == len(text.ALPHABET) == text.NUM_CHARACTERS - 2


def test_names_of_colors_have_basic_colors():
    assert not doctest.testmod(color_names).failed
    assert {color_names.basic_color(name) for name in ("Grey", "Steel", "gray")} == {"gray"}
    assert color_names.basic_color("navy") == color_names.basic_color("Navy Blue") == "blue"
