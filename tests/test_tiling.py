import numpy as np
import pytest

from discogan_tf.tiling import translate_any_size


def _gradient(height, width):
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([rows / height, columns / width, 0.5 + 0 * rows], -1)


@pytest.mark.parametrize("shape", [(3, 5), (16, 16), (50, 90), (61, 200), (200, 7)])
@pytest.mark.parametrize("multiple", [4, 16])
def test_every_pixel_is_translated_once_in_its_place(shape, multiple):
    image, seen = _gradient(*shape), []

    def darken(part):
        seen.append(part.shape)
        return 0.5 * part

    found = translate_any_size(darken, image, multiple, tile=64, overlap=16)
    np.testing.assert_allclose(found, 0.5 * image, atol=1e-6)
    for _, height, width, _ in seen:
        assert height % multiple == width % multiple == 0
        assert 16 <= height <= 64 and 16 <= width <= 64


def test_the_border_is_repeated_to_fill_the_last_multiple():
    image, seen = _gradient(6, 9), []

    def copy(part):
        seen.append(part[0])
        return part

    translate_any_size(copy, image, 4, tile=64, overlap=16)
    (padded,) = seen
    place = [
        (top, left)
        for top in range(padded.shape[0] - 5)
        for left in range(padded.shape[1] - 8)
        if np.array_equal(padded[top : top + 6, left : left + 9], image)
    ]
    ((top, left),) = place
    rows = np.clip(np.arange(padded.shape[0]) - top, 0, 5)
    columns = np.clip(np.arange(padded.shape[1]) - left, 0, 8)
    np.testing.assert_array_equal(padded, image[rows][:, columns])


def test_tiles_fade_into_each_other():
    """Each tile has another brightness, and no pixel differs much from its neighbor."""
    number = iter(range(100))

    def brighter(part):
        return np.full_like(part, next(number) % 2)

    found = translate_any_size(brighter, _gradient(64, 200), 4, tile=64, overlap=32)
    steps = np.abs(np.diff(found[32, :, 0]))
    assert found.max() == 1 and found.min() == 0 and steps.max() < 0.1
