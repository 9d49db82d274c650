"""The archives of the synthetic sample, in the format of pix2pix, with the ground truth as JSON."""

import concurrent.futures
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data_prep.errors import PreparationError
from data_prep.sample import bags, shoes
from data_prep.sample.canvas import Canvas
from data_prep.sample.edges import draw_edges
from data_prep.sample.style import draw_style

# Name of the data set -> the function that draws it.
ARCHIVES = {"sample_edges2handbags": bags.KINDS, "sample_edges2shoes": shoes.KINDS}
_JPEG_QUALITY = 92


def draw_archives(data_dir: Path, num_train: int, num_val: int) -> list[Path]:
    """Writes `NAME.tar.gz` and `NAME.json` for handbags and for shoes, unless they exist.

    The images depend only on their names: they are the same on every machine, and the first hundred
    are the first hundred of a larger sample. The JSON has the true attributes of each member.

    Args:
      data_dir: Where the archives go.
      num_train: Pairs in `train/`, of each data set.
      num_val: Pairs in `val/`.

    Returns:
      The paths of the archives.

    Raises:
      PreparationError: if there are no pairs to draw, or the files cannot be written.
    """
    if num_train < 1 or num_val < 0:
        raise PreparationError("--num_train must be at least 1, and --num_val at least 0")
    paths = []
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
            for name in ARCHIVES:
                members = [
                    f"{name}/{split}/{number}_AB.jpg"
                    for split, count in (("train", num_train), ("val", num_val))
                    for number in range(1, count + 1)
                ]
                paths.append(data_dir / f"{name}.tar.gz")
                _draw_archive(paths[-1], members, pool)
    except OSError as error:
        raise PreparationError(f"cannot write the sample to {data_dir}: {error}") from error
    return paths


def draw_pair(member: str) -> tuple[bytes, dict]:
    """The pair of a member's name: a JPEG of 512x256 pixels, and its true attributes."""
    photo, attributes = draw_photo(member)
    pair = Image.fromarray(np.concatenate([draw_edges(photo), photo], axis=1))
    file = io.BytesIO()
    pair.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue(), attributes


def draw_photo(member: str) -> tuple[np.ndarray, dict]:
    """The photo of a pair, uint8 [256, 256, 3], and its true attributes."""
    rng = np.random.default_rng(list(member.encode()))
    kinds = ARCHIVES[member.partition("/")[0]]
    kind = list(kinds)[int(rng.integers(len(kinds)))]
    style, canvas = draw_style(rng), Canvas(rng)
    kinds[kind](canvas, style, rng)
    return np.asarray(canvas.image()), {"kind": kind} | style.attributes()


def _draw_archive(path: Path, members: list[str], pool: concurrent.futures.Executor) -> None:
    truth_path = path.with_name(path.name.removesuffix(".tar.gz") + ".json")
    if truth_path.exists() and path.exists():
        if list(json.loads(truth_path.read_text())) == members:
            print(f"{path} exists already.")
            return
        raise PreparationError(
            f"{path} holds another number of pairs. Give --force to generate it again"
        )
    truth = {}
    temporary = path.with_name(path.name + ".part")
    with tarfile.open(temporary, "w:gz", compresslevel=1) as tar:
        pairs = pool.map(draw_pair, members, chunksize=16)
        for member, (jpeg, attributes) in zip(
            members,
            tqdm(pairs, desc=f"Drawing {path.name}", total=len(members), mininterval=1),
            strict=True,
        ):
            header = tarfile.TarInfo(member)
            header.size = len(jpeg)
            tar.addfile(header, io.BytesIO(jpeg))
            truth[member] = attributes
    truth_path.write_text(json.dumps(truth, indent=1) + "\n")
    temporary.replace(path)
