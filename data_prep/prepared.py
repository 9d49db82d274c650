"""Where prepared domains are, and what they contain."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np

from data_prep.errors import PreparationError
from data_prep.records import record_layout

VERSION = "2.0.0"
SPLITS = ("train", "val")
# File of a domain with captions: split -> for each image {"captions", "type", "color", "held_out",
# "attributes"}, in the order of `names.json`.
CAPTIONS = "captions.json"
# Prefix of unfinished folders.
INCOMPLETE = "incomplete"


def require_name(name: str, source: str) -> None:
    """Checks that a name is that of one folder, and not one of unfinished folders.

    Raises:
      PreparationError: if it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name.startswith(INCOMPLETE):
        raise PreparationError(
            f"{source} would name a data set {name!r}. Letters, digits, '_', '-' and '.' are "
            f"allowed. A name begins with a letter or digit, and not with {INCOMPLETE!r}."
        )


def prepared_folder(data_dir: Path, domain: str, size: int) -> Path:
    """The folder of a prepared domain."""
    return data_dir / domain / f"{size}px" / VERSION


def is_prepared(data_dir: Path, domain: str, size: int) -> bool:
    """Whether a domain is in `data_dir`, complete, at this size."""
    return (prepared_folder(data_dir, domain, size) / "dataset_info.json").is_file()


def prepared_domains(data_dir: Path, size: int) -> list[str]:
    """Names of all domains prepared at a size."""
    found = data_dir.glob(f"**/{size}px/{VERSION}/dataset_info.json")
    names = (str(path.parents[2].relative_to(data_dir)) for path in found)
    return sorted(name for name in names if not name.startswith(INCOMPLETE))


@dataclasses.dataclass(frozen=True)
class PreparedDomain:
    """A domain on disk.

    Attributes:
      name: Of the domain.
      preparation: What was recorded when it was prepared.
      names: Split -> names of its images.
      records: Split -> uint8 [n, bytes of a record], on disk.
      size: Height and width of the images.
      captions: Split -> what is said of each image, as `data_prep captions` records it; None
        without captions.
    """

    name: str
    preparation: dict
    names: dict[str, list[str]]
    records: dict[str, np.ndarray]
    size: int
    captions: dict[str, list[dict]] | None = None

    def images(self, split: str) -> np.ndarray:
        """uint8 [n, size, size, 3], on disk."""
        start, _ = record_layout(self.size)
        pixels = self.records[split][:, start : start + self.size * self.size * 3]
        return pixels.reshape(-1, self.size, self.size, 3)


def open_domain(data_dir: Path, name: str, size: int) -> PreparedDomain:
    """Opens a prepared domain.

    Raises:
      PreparationError: if it is not prepared, or its files do not belong together.
    """
    folder = prepared_folder(data_dir, name, size)
    if not is_prepared(data_dir, name, size):
        raise PreparationError(f"no domain {name} is prepared at {size} pixels in {data_dir}")
    try:
        preparation = json.loads((folder / "preparation.json").read_text())
        names = json.loads((folder / "names.json").read_text())
        captions_file, records = folder / CAPTIONS, {}
        captions = json.loads(captions_file.read_text()) if captions_file.is_file() else None
        for split, of_split in names.items():
            (file,) = folder.glob(f"*-{split}.tfrecord-*")
            records[split] = np.memmap(file, np.uint8, "r").reshape(
                len(of_split), record_layout(size)[1]
            )
    except (OSError, ValueError) as error:
        raise PreparationError(
            f"the prepared domain {name} is corrupt ({error}). Remove {folder} and prepare it "
            "again."
        ) from error
    return PreparedDomain(name, preparation, names, records, size, captions)
