"""Makes the figures of docs/data.md: a good domain, and one with all problems that `check` finds.

    python docs/figures/good_and_bad.py

Writes docs/images/good_domain.webp and docs/images/bad_domain.webp, the contact sheets of
`python -m data_prep check`, and prints its report on the bad one.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from data_prep.sample.archive import draw_pair

_IMAGES = Path(__file__).parents[1] / "images"
_COUNT = 200


def _photo(name: str) -> Image.Image:
    data, _ = draw_pair(name)
    return Image.open(io.BytesIO(data)).convert("RGB").crop((256, 0, 512, 256))


def _save_drawn(folder: Path) -> None:
    folder.mkdir()
    for number in range(_COUNT):
        _photo(f"sample_edges2handbags/train/{number}_AB.jpg").save(folder / f"bag{number:03}.png")


def _spoil(folder: Path) -> None:
    """Adds problems that real folders have."""
    rng = np.random.default_rng(0)
    for number in range(16):
        bag = Image.open(folder / f"bag{number:03}.png")
        ImageOps.grayscale(bag).save(folder / f"black_and_white{number}.png")
        cut = np.asarray(Image.open(folder / f"bag{30 + number:03}.png")).copy()
        cut[int(rng.uniform(80, 200)) :] = 128
        Image.fromarray(cut).save(folder / f"half_loaded{number}.png")
        Image.open(folder / f"bag{50 + number:03}.png").save(folder / f"copy{number}.bmp")
        again = Image.open(folder / f"bag{70 + number:03}.png").resize((200, 200))
        again.save(folder / f"saved_again{number}.jpg", quality=70)
        Image.new("RGB", (256, 256), tuple(rng.integers(0, 256, 3))).save(
            folder / f"blank{number}.png"
        )
        Image.open(folder / f"bag{90 + number:03}.png").resize((24, 24)).save(
            folder / f"thumbnail{number}.png"
        )
        (folder / f"broken{number}.jpg").write_bytes(
            (folder / "saved_again0.jpg").read_bytes()[: 500 + number]
        )


def _check(folder: Path, sheet: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "data_prep",
        "check",
        f"--images={folder.name}",
        f"--sheet={sheet}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)
    return f"{done.stdout}exit status {done.returncode}"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("good", "bad"):
            _save_drawn(folder / f"{kind}_bags")
            if kind == "bad":
                _spoil(folder / "bad_bags")
            words = _check(folder / f"{kind}_bags", folder / "sheet.png")
            Image.open(folder / "sheet.png").save(_IMAGES / f"{kind}_domain.webp", quality=80)
            print(words)


if __name__ == "__main__":
    main()
