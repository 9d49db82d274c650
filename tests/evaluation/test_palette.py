"""Colors by pixels: images that are painted as their captions say, and others."""

import numpy as np

from discogan_tf.evaluation import palette

_COLORS = {"red": (200, 30, 40), "blue": (40, 70, 150), "beige": (196, 175, 146)}


def _row(color, second=None, pattern="plain"):
    two, second = second is not None, second or color
    return {
        "color": color,
        "attributes": {
            "color_rgb": str(list(_COLORS[color])), "second_color": second,
            "second_color_rgb": str(list(_COLORS[second])), "two_tone": str(two),
            "pattern": pattern,
        },
    }  # fmt: skip


def _painted(row):
    """A square on white, a quarter of it in the second color."""
    image = np.ones((16, 16, 3), np.float32)
    image[4:12, 4:12] = np.array(_COLORS[row["color"]]) / 255
    image[4:12, 10:12] = np.array(_COLORS[row["attributes"]["second_color"]]) / 255
    return image


def test_painted_as_requested_is_right_and_other_colors_are_not():
    rows = [_row("red"), _row("blue"), _row("red", "beige"), _row("blue", "red")]
    as_requested = np.array([_painted(row) for row in rows])
    found = palette.measure(rows, rows, as_requested, as_requested, 20)
    assert set(found) == {"pixel_color_accuracy", "pixel_two_color_accuracy"}
    assert all(one.value == one.reference == 1 for one in found.values())
    # The other color of each pair: one of the two-colored ones has both colors, exchanged.
    others = np.array([_painted(row) for row in (_row("blue"), _row("red"), _row("beige", "red"),
                                                 _row("blue"))])  # fmt: skip
    found = palette.measure(rows, rows, others, as_requested, 0)
    assert found["pixel_color_accuracy"].value == 0
    assert found["pixel_two_color_accuracy"].value == 0.5


def test_patterns_are_of_neither_kind_and_captions_without_exact_colors_of_none():
    rows = [_row("red", pattern="dots"), _row("blue", pattern="dots")]
    images = np.array([_painted(row) for row in rows])
    assert palette.measure(rows, rows, images, images, 0) == {}
    for attributes in ({}, {"color_rgb": "#c81e28"}):
        photos = [{"color": "red", "attributes": attributes}]
        assert palette.measure(photos, photos, images[:1], images[:1], 0) == {}
