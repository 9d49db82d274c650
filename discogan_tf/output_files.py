"""Where translations of a user's images are written."""

from collections.abc import Iterable
from pathlib import Path

from discogan_tf.errors import DataError


def source_files(images: Path) -> dict[Path, Path]:
    """Image files to translate -> their paths relative to what the user named.

    Args:
      images: An image, or a folder that is searched with its subfolders. Hidden files are ignored.

    Raises:
      DataError: if there is no such file or folder, or the folder is empty.
    """
    if images.is_file():
        return {images: Path(images.name)}
    if not images.is_dir():
        raise DataError(f"{images}: no such file or folder")
    files = {path: path.relative_to(images) for path in sorted(images.rglob("*")) if path.is_file()}
    files = {
        path: relative
        for path, relative in files.items()
        if not any(part.startswith(".") for part in relative.parts)
    }
    if not files:
        raise DataError(f"{images}: the folder is empty")
    return files


def targets(
    images: Iterable[Path], output_dir: Path, suffix: str = ".png", reserved: Iterable[str] = ()
) -> dict[Path, Path]:
    """Every image file -> the file to write for it, `STEM.png` in the same subfolders.

    Args:
      images: As for `source_files`, each.
      output_dir: Folder for the results.
      suffix: Of the results.
      reserved: Names in `output_dir` of what else is written there.

    Raises:
      DataError: as `source_files`; or if a result would be written over an image, or into a folder
        of images, where it would be translated again.
    """
    images, reserved = list(images), [output_dir / name for name in reserved]
    found, taken = {}, set(reserved)
    for folder_or_file in images:
        is_folder = folder_or_file.is_dir()
        if is_folder and output_dir.resolve().is_relative_to(folder_or_file.resolve()):
            raise DataError(
                f"{output_dir} is within {folder_or_file}. Give another folder, so that no "
                "original is overwritten and no translation is translated again"
            )
        for file, relative in source_files(folder_or_file).items():
            target = output_dir / relative.with_suffix(suffix)
            if target in taken:  # bag.jpg and bag.png side by side.
                target = output_dir / relative.with_name(relative.name + suffix)
            if target in taken:
                raise DataError(f"two images have the name {relative}: translate them one by one")
            taken.add(target)
            found[file] = target
    originals = {file.resolve() for file in found}
    written = [*found.values(), *reserved]
    for target in written:
        if target.resolve() in originals:
            raise DataError(f"{target} would be overwritten: give another output folder")
    # There, files that nobody named may be originals as well.
    holds_originals = any(path.resolve().is_relative_to(output_dir.resolve()) for path in images)
    for target in written if holds_originals else ():
        if target.exists():
            raise DataError(
                f"{target} exists, and may be an original: give another output folder, or remove it"
            )
    return found
