import numpy as np
import pytest

from data_prep.scaling import scale


def _exact(pixels, count):
    """Means of equal stretches of the first axis, by the overlap of each pixel with each."""
    n = len(pixels)
    shares = [
        [
            max(0.0, min((i + 1) * n / count, j + 1) - max(i * n / count, j)) * count / n
            for j in range(n)
        ]
        for i in range(count)
    ]
    return np.einsum("ij,j...->i...", np.array(shares), pixels.astype(np.float64))


@pytest.mark.parametrize(
    "sizes", [((256, 256), (64, 64)), ((100, 80), (64, 64)), ((65, 64), (64, 31)), ((7, 9), (7, 2))]
)
def test_shrinking_is_the_mean_over_areas(sizes):
    (h, w), (height, width) = sizes
    image = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    expected = _exact(_exact(image, height).transpose(1, 0, 2), width).transpose(1, 0, 2)
    found = scale(image, height, width)
    assert found.dtype == np.uint8 and np.abs(found - expected).max() <= 0.5 + 1e-9


def test_growing_keeps_place_and_color():
    ramp = np.broadcast_to(np.linspace(20, 230, 11)[:, None, None], (11, 5, 3)).astype(np.uint8)
    grown = scale(ramp, 64, 64).astype(float)
    assert grown.shape == (64, 64, 3)
    assert abs(grown.mean() - 125) < 1 and abs((grown + grown[::-1]).mean(1) - 250).max() < 2


def test_one_side_may_grow_while_the_other_shrinks():
    assert (
        scale(np.full((200, 10, 1), 77, np.uint8), 64, 64).tolist()
        == np.full((64, 64, 1), 77).tolist()
    )
