"""How far a prepared photo is from the exact area mean of the archive's, in float64.

python -m benchmarks.scaling --archive=edges2shoes.tar.gz
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.archives import read_members
from data_prep.pairs import split_pair

_SIZE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, required=True)
    differences = []
    for _, data in read_members(parser.parse_args().archive, (".jpg",)):
        prepared = np.asarray(Image.open(io.BytesIO(split_pair(data, _SIZE)["photo"])), np.float64)
        pair = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
        photo = pair[:, pair.shape[1] // 2 :]
        step = photo.shape[0] // _SIZE
        exact = photo.reshape(_SIZE, step, _SIZE, step, 3).mean((1, 3))
        differences.append(np.abs(prepared - exact).mean())
    print(
        f"{len(differences)} photos: mean absolute difference {np.mean(differences):.2f} of 255, "
        f"{np.max(differences):.2f} on the worst"
    )


if __name__ == "__main__":
    main()
