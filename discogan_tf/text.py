"""Captions as numbers: lower case, without accents, one number for each character.

The same table serves Python and TensorFlow, so that an exported model reads a sentence as training
did.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

# Numbers of the characters are their places in it, from 2 on.
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 .,;:!?'\"()[]-_/\\|&@#$%*+=<>~^"
PADDING, UNKNOWN = 0, 1
NUM_CHARACTERS = len(ALPHABET) + 2
# Longer captions are cut.
LENGTH = 99
# Of longer ones only so many bytes are looked at: a request must not exhaust a server.
_MOST_BYTES = 4096
# Code points beyond them are unknown characters.
_CODE_POINTS = 1 << 16
# A ligature or fraction is at most so many characters; what is longer is unknown.
_MOST = 4
_WORD = re.compile(r"[a-z0-9]+")
_SPACES, _ENDS = "[\\t\\n\\f\\r ]+", "^ | $"
# Typographic quotation marks, dashes and signs, which have no decomposition.
_ALIASES = dict(
    zip("\u2018\u2019\u201c\u201d\u2013\u2014\u2212\u00d7\u2044", "''\"\"---x/", strict=True)
)


def encode(captions: Iterable[str]) -> np.ndarray:
    """The characters of captions, int32 [n, 99]: `PADDING` at the end, `UNKNOWN` for others."""
    found = [_numbers(caption)[:LENGTH] for caption in captions]
    found = [np.pad(numbers, (0, LENGTH - len(numbers))) for numbers in found]
    return np.array(found, np.int32).reshape(-1, LENGTH)


def _numbers(caption: str) -> np.ndarray:
    caption = caption.encode("utf-8", "replace")[:_MOST_BYTES].decode("utf-8", "replace")
    points = np.array([ord(c) for c in re.sub(_SPACES, " ", caption).strip(" ")], np.int64)
    known = points < _CODE_POINTS
    numbers = np.where(known[:, None], _table()[np.where(known, points, 0)], _only(UNKNOWN))
    return numbers[numbers != PADDING]


def is_cut(caption: str) -> bool:
    """Whether a caption has more characters than `encode` keeps."""
    return len(_numbers(caption)) > LENGTH


def encode_bytes(captions: tf.Tensor) -> tf.Tensor:
    """`encode` in TensorFlow: string [n], UTF-8, to int32 [n, 99]."""
    captions = tf.strings.regex_replace(tf.strings.substr(captions, 0, _MOST_BYTES), _SPACES, " ")
    captions = tf.strings.regex_replace(captions, _ENDS, "")
    points = tf.strings.unicode_decode(captions, "UTF-8", errors="replace")
    known = points.values < _CODE_POINTS
    numbers = tf.gather(tf.constant(_table()), tf.where(known, points.values, 0))
    numbers = tf.where(known[:, tf.newaxis], numbers, tf.constant(_only(UNKNOWN)))
    rows = tf.repeat(points.value_rowids(), _MOST)
    flat = tf.reshape(numbers, [-1])
    kept = flat != PADDING
    ragged = tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(flat, kept), tf.boolean_mask(rows, kept), points.nrows()
    )
    dense = ragged.to_tensor(PADDING, shape=(None, LENGTH))
    return tf.ensure_shape(tf.cast(dense, tf.int32), (None, LENGTH))


def words(caption: str) -> list[str]:
    """The words of a caption in lower case, without accents: what a vocabulary has."""
    return _WORD.findall(decode(encode([caption])[0]))


def decode(numbers: np.ndarray) -> str:
    """A caption as the encoder sees it: the characters of one row of `encode`; "?" is unknown."""
    return "".join("?" if n == UNKNOWN else ALPHABET[n - 2] for n in numbers if n != PADDING)


def unknown_characters(caption: str) -> list[str]:
    """The characters of a caption that the alphabet lacks, each once."""
    return [c for c in dict.fromkeys(caption) if (encode([c])[0] == UNKNOWN).any()]


@functools.cache
def _table() -> np.ndarray:
    """Code point -> numbers of the characters that it stands for, uint8 [65536, 4].

    By compatibility decomposition (NFKD), so that e with an accent is e followed by the accent.
    Accents, and other marks that combine with a character, count for nothing.
    """
    numbers = {character: number for number, character in enumerate(ALPHABET, 2)}
    table = np.tile(_only(UNKNOWN), (_CODE_POINTS, 1))
    for point in range(_CODE_POINTS):
        character = chr(point)
        if unicodedata.category(character) in ("Cc", "Zs", "Zl", "Zp"):
            table[point] = _only(numbers[" "])
            continue
        parts = unicodedata.normalize("NFKD", character).lower()
        parts = [
            _ALIASES.get(c, c)
            for c in unicodedata.normalize("NFKD", parts)
            if not unicodedata.combining(c)
        ]
        if all(c in numbers for c in parts) and len(parts) <= _MOST:
            table[point] = 0
            table[point, : len(parts)] = [numbers[c] for c in parts]
    return table


def _only(number: int) -> np.ndarray:
    return np.array([number] + [PADDING] * (_MOST - 1), np.uint8)
