"""Prepares a folder of images as a domain."""

import collections
import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.decoding import known_formats, opened, upright_rgb
from data_prep.domain_writer import DomainWriter, most_common_sizes
from data_prep.errors import ImageError, PreparationError
from data_prep.limits import LeftOut, Limits, printable
from data_prep.parallel import in_order
from data_prep.scaling import scale

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif", ".heic", ".heif",
)  # fmt: skip
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
FITS = ("pad", "crop", "stretch")


@dataclasses.dataclass(frozen=True)
class FolderSource:
    """A folder of images, and how it becomes a domain.

    Attributes:
      images: The folder, searched at any depth.
      val_images: A second folder with the validation images; None takes some of the first.
      val_share: The fraction of images for validation, from 0 to 1, if `val_images` is None.
      fit: How images become square. "pad" with the color of their own border, as commands that use
        a trained run do; "crop" to the largest square in the middle; or "stretch".
      origin: What the folder was unpacked from, if it is temporary.
    """

    images: Path
    val_images: Path | None = None
    val_share: float = 0.1
    fit: str = "pad"
    origin: str = ""

    def options(self) -> dict:
        """What tells preparations of the same name apart, for JSON."""
        folders = [path and str(path.resolve()) for path in (self.images, self.val_images)]
        return {
            "images": self.origin or folders[0],
            "val_images": None if self.origin else folders[1],
            "val_share": None if self.val_images else self.val_share,
            "fit": self.fit,
        }


def prepare_folder(
    source: FolderSource, data_dir: Path, name: str, size: int, limits: Limits, left_out: LeftOut
) -> dict[str, int]:
    """Prepares the images under a folder as the domain `name`.

    Identical images go to one split. Which one depends only on their prepared pixels and
    `val_share`, so that images that are added later move none of the others.

    Args:
      source: The folder.
      data_dir: Where the domain goes.
      name: Name of the domain.
      size: Height and width of the prepared images.
      limits: Bounds on the folder.
      left_out: Collects what was not used.

    Returns:
      Split -> number of its images.

    Raises:
      PreparationError: if there is no such folder, or nothing usable in it.
      OSError: if the result cannot be written.
    """
    images, val_images = source.images, source.val_images
    val_share, fit = source.val_share, source.fit
    source_sizes: collections.Counter = collections.Counter()
    with DomainWriter(data_dir, name, size) as writer:
        if val_images is None:
            found = _images(images, size, fit, limits, left_out, source_sizes)
            _write_split_by_pixels(writer, found, val_share)
        else:
            for split, folder in (("train", images), ("val", val_images)):
                for label, image in _images(folder, size, fit, limits, left_out, source_sizes):
                    writer.add(split, label, image)
        if "train" not in writer.counts:
            if writer.counts:
                raise PreparationError(
                    f"all images of {images} were assigned to validation by "
                    f"--val_share={val_share}: lower it"
                )
            raise PreparationError(
                "; ".join(
                    [
                        f"{images} holds no usable images ({', '.join(IMAGE_SUFFIXES)})",
                        *left_out.lines[:3],
                    ]
                )
            )
        method = {
            "crop": "the largest square in the middle cropped",
            "pad": "padded with the color of the border to a square",
            "stretch": "stretched to a square",
        }[fit]
        writer.finish(
            {
                "source": {
                    "folder": images.name,
                    "val_folder": val_images.name if val_images else None,
                },
                "options": source.options(),
                "fit": fit,
                "method": f"{method}, scaled by the area mean (bicubic where images grow)",
                "val_share": None if val_images else val_share,
                "source_sizes": most_common_sizes(source_sizes),
            },
            left_out,
        )
        return writer.counts


def _write_split_by_pixels(writer: DomainWriter, images: Iterator, val_share: float) -> None:
    """Writes each image to the split that its pixels determine; at least one image to "val"."""
    # Copies of one image, which become "val" if no others do: those with the smallest number.
    smallest: tuple[float, list] = (2.0, [])
    for label, image in images:
        number = int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "big") / 2**64
        if number < val_share:
            writer.add("val", label, image)
        elif number == smallest[0]:
            smallest[1].append((label, image))
        elif number < smallest[0]:
            for earlier in smallest[1]:
                writer.add("train", *earlier)
            smallest = (number, [(label, image)])
        else:
            writer.add("train", label, image)
    lacks_val = val_share > 0 and "val" not in writer.counts and "train" in writer.counts
    for held_back in smallest[1]:
        writer.add("val" if lacks_val else "train", *held_back)


def _images(
    folder: Path,
    size: int,
    fit: str,
    limits: Limits,
    left_out: LeftOut,
    source_sizes: collections.Counter,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (path within the folder, uint8 [size, size, 3]) of every usable image, by path."""

    def decode(path: Path):
        try:
            length = path.stat().st_size
            if length > limits.max_image_bytes:
                raise ImageError(
                    f"{length:,} bytes, more than {limits.max_image_bytes:,} (--max_image_bytes)"
                )
            if not length:
                raise ImageError("an empty file")
            return path, *read_image(path.read_bytes(), size, fit, limits.max_pixels)
        except (ImageError, OSError) as error:
            return path, error, None

    files = tqdm(
        _files(folder, limits, left_out), desc=f"Reading {folder.name}", unit=" files", delay=1
    )
    for path, image, source_size in in_order(decode, files):
        label = str(path.relative_to(folder))
        if isinstance(image, Exception):
            left_out.add(label, str(image))
        else:
            source_sizes[source_size] += 1
            yield printable(label), image


def _files(folder: Path, limits: Limits, left_out: LeftOut) -> list[Path]:
    if not folder.is_dir():
        raise PreparationError(f"no folder at {folder}")
    found, count = [], 0

    def refuse(error: OSError):
        left_out.add(str(error.filename), f"a folder that cannot be read: {error.strerror}")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        for linked in [name for name in folders if Path(parent, name).is_symlink()]:
            left_out.add(
                str(Path(parent, linked).relative_to(folder)), "a link to a folder, not followed"
            )
        folders.sort()
        count += len(files)
        if count > limits.max_members:
            raise PreparationError(
                f"{folder} has more than {limits.max_members:,} files. Nothing was prepared from "
                "it. If that is right, raise --max_members."
            )
        for file in sorted(files):
            path = Path(parent, file)
            label = str(path.relative_to(folder))
            if not file.lower().endswith(IMAGE_SUFFIXES):
                left_out.add(label, f"not an image ({', '.join(IMAGE_SUFFIXES)})")
            elif not _is_file(path):  # Reading a pipe would never end.
                left_out.add(label, "not a file, a broken link, or in a folder without access")
            else:
                found.append(path)
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def read_image(
    data: bytes, size: int, fit: str, max_pixels: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads a file of any of the formats, of an animation its first frame, and makes it square.

    Returns:
      uint8 [size, size, 3]; and width and height of the image before.

    Raises:
      ImageError: if it is not an image, is corrupt or has too many pixels.
    """
    with opened(data, known_formats(_FORMATS), max_pixels) as image:
        source_size = image.size
        if image.format == "JPEG":
            # Scaled within the transform, to no less than twice the needed size.
            shorter = min(image.size)
            factor = max(1.0, shorter / (2 * size))
            image.draft("RGB", tuple(int(side / factor) for side in image.size))
        pixels = upright_rgb(image)
    return _made_square(pixels, size, fit), source_size


def _made_square(pixels: np.ndarray, size: int, fit: str) -> np.ndarray:
    height, width = pixels.shape[:2]
    if fit == "stretch":
        return scale(pixels, size, size)
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return scale(pixels[top : top + side, left : left + side], size, size)
    longer = max(height, width)
    new_height, new_width = (max(1, round(length * size / longer)) for length in (height, width))
    scaled = scale(pixels, new_height, new_width)
    square = np.empty((size, size, 3), np.uint8)
    square[:] = _border_color(scaled)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    square[top : top + new_height, left : left + new_width] = scaled
    return square


def _border_color(image: np.ndarray) -> np.ndarray:
    """uint8 [3]: the median, by channel, of the two sides of an image that are to be padded."""
    height, width = image.shape[:2]
    sides = image[[0, -1]] if height < width else image[:, [0, -1]]
    values = np.sort(sides.reshape(-1, 3), axis=0)
    return values[len(values) // 2]
