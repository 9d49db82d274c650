"""Error of a prepared photo against the exact area mean of the archive's, in float64.

    python -m benchmarks.scaling --archive=edges2shoes.tar.gz

Beside it the chapter's scaling, of the whole pair with Lanczos's filter, followed by the crop. The
shift, in pixels of the prepared size, is what best explains the differences by the gradient of the
exact image (least squares over all photos); the color cast is the mean difference of a channel.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data_prep.archives import read_images
from data_prep.limits import LeftOut, Limits
from data_prep.pairs import PairForm, split_pair


class _Differences:
    """Sums over all photos."""

    def __init__(self):
        self.means, self.casts = [], []
        self._products, self._responses = np.zeros((2, 2)), np.zeros(2)

    def add(self, found: np.ndarray, exact: np.ndarray) -> None:
        difference = found.astype(np.float64) - exact
        self.means.append(np.abs(difference).mean())
        self.casts.append(difference.mean((0, 1)))
        # Shifted by (dx, dy), an image loses dx times its slope to the right and dy times that
        # downwards.
        slopes = np.stack([-np.gradient(exact, axis=axis).ravel() for axis in (1, 0)])
        self._products += slopes @ slopes.T
        self._responses += slopes @ difference.ravel()

    def __str__(self) -> str:
        shift = np.linalg.solve(self._products, self._responses)
        cast = " ".join(f"{value:+.2f}" for value in np.mean(self.casts, axis=0))
        return (
            f"mean absolute difference {np.mean(self.means):.2f} of 255, {np.max(self.means):.2f} "
            f"on the worst; shift {shift[0]:+.4f} right, {shift[1]:+.4f} down; cast {cast} (red, "
            "green, blue)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--image_size", type=int, default=64)
    values = parser.parse_args()
    size, form = values.image_size, PairForm(halves=("photo",))
    ours, chapter = _Differences(), _Differences()
    pairs = [data for _, data in read_images(values.archive, (".jpg",), Limits(), LeftOut())]
    for data in tqdm(pairs, delay=1):
        pair = Image.open(io.BytesIO(data)).convert("RGB")
        photo = np.asarray(pair, np.float64)[:, pair.width // 2 :]
        step = photo.shape[0] // size
        exact = photo.reshape(size, step, size, step, 3).mean((1, 3))
        ours.add(split_pair(data, size, form, Limits().max_pixels)[0]["photo"], exact)
        scaled = pair.resize((2 * size, size), Image.Resampling.LANCZOS)
        chapter.add(np.asarray(scaled)[:, size:], exact)
    print(f"{len(pairs)} photos at {size} pixels\nprepared: {ours}\nthe chapter's way: {chapter}")


if __name__ == "__main__":
    main()
