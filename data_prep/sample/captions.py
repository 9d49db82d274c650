"""Captions of the synthetic sample: a small grammar over what images show."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data_prep.errors import PreparationError
from data_prep.sample.archive import ARCHIVES, draw_photo

NAME = "sample_captions"
_TABLE = "captions.jsonl"
_CAPTIONS = 6
_JPEG_QUALITY = 92

# A caption is an opening, a description and, for two colors, a detail.
_OPENINGS = ("", "a ", "one ", "this is a ", "photo of a ")
# With and without a pattern.
_PATTERNED = (
    "{color} {adjective} {kind}",
    "{adjective} {color} {kind}",
    "{color} {kind} with {noun}",
    "{kind} in {color} with {noun}",
)
_PLAIN = ("{color} {kind}", "plain {color} {kind}", "{kind} in {color}", "{kind} in plain {color}")
_DETAILS = (
    " with {second} details",
    " and {second} trim",
    ", {second} accents",
    ", details in {second}",
)
_ADJECTIVES = {"stripes": "striped", "dots": "dotted", "checks": "checked"}


def captions_of(attributes: dict, rng: np.random.Generator) -> list[str]:
    """Paraphrases of what an image shows, each once.

    Args:
      attributes: As `draw_photo` returns them.
      rng: Chooses the words.
    """
    pattern = attributes["pattern"]
    words = {
        "kind": attributes["kind"].replace("_", " "),
        "color": attributes["color"],
        "second": attributes["second_color"],
        "adjective": _ADJECTIVES.get(pattern, ""),
        "noun": pattern,
    }
    descriptions = _PATTERNED if pattern in _ADJECTIVES else _PLAIN
    details = _DETAILS if attributes["two_tone"] else ("",)
    found = {}
    while len(found) < _CAPTIONS:
        parts = [
            options[rng.integers(len(options))] for options in (_OPENINGS, descriptions, details)
        ]
        found["".join(parts).format_map(words)] = None
    return list(found)


def draw_captioned(data_dir: Path, num_images: int) -> Path:
    """Writes `sample_captions.tar.gz` unless it exists: images of bags and shoes, and their table.

    Args:
      data_dir: Where the archive goes.
      num_images: How many images of bags, and of shoes.

    Returns:
      Its path.

    Raises:
      PreparationError: if it exists with another number, or cannot be written.
    """
    path = data_dir / f"{NAME}.tar.gz"
    members = [
        f"{name}/train/{number}_AB.jpg" for number in range(1, num_images + 1) for name in ARCHIVES
    ]
    try:
        if path.exists():
            _require_same(path, len(members))
            print(f"{path} exists already.")
            return path
        data_dir.mkdir(parents=True, exist_ok=True)
        _write(path, members)
    except (OSError, tarfile.TarError) as error:
        raise PreparationError(f"cannot write the sample to {data_dir}: {error}") from error
    return path


def _write(path: Path, members: list[str]) -> None:
    rows, temporary = [], path.with_name(path.name + ".part")
    with tarfile.open(temporary, "w:gz", compresslevel=1) as tar:
        for member in tqdm(members, desc=f"Drawing {path.name}", mininterval=1):
            photo, attributes = draw_photo(member)
            name, _, number = member.removesuffix("_AB.jpg").replace("/train/", " ").partition(" ")
            image = f"images/{name.rpartition('2')[2]}_{number}.jpg"
            file = io.BytesIO()
            Image.fromarray(photo).save(file, "JPEG", quality=_JPEG_QUALITY)
            _add(tar, image, file.getvalue())
            rng = np.random.default_rng(list(f"captions of {member}".encode()))
            captions = captions_of(attributes, rng)
            rows.append(
                {"image": image, "captions": captions, "type": attributes["kind"]} | attributes
            )
        table = "".join(f"{json.dumps(row)}\n" for row in rows)
        _add(tar, _TABLE, table.encode())
    temporary.replace(path)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(f"{NAME}/{name}")
    header.size = len(content)
    tar.addfile(header, io.BytesIO(content))


def _require_same(path: Path, count: int) -> None:
    with tarfile.open(path) as tar:
        found = sum(name.endswith(".jpg") for name in tar.getnames())
    if found != count:
        raise PreparationError(
            f"{path} holds {found} images, not {count}. Give --force to generate it again"
        )
