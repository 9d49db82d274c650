"""CycleGAN's data sets: folders trainA, trainB, testA and testB, in a ZIP archive."""

import contextlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from data_prep.errors import PreparationError
from data_prep.limits import Limits
from data_prep.unfinished import unfinished_folder


def is_unpaired_set(folder: Path) -> bool:
    """Whether a folder holds two domains, trainA and trainB."""
    return all((folder / f"train{side}").is_dir() for side in "AB")


@contextlib.contextmanager
def unpacked(archive: Path, limits: Limits) -> Iterator[Path]:
    """Context manager: unpacks an archive beside itself, and removes it again.

    Yields:
      The folder that holds trainA and trainB.

    Raises:
      PreparationError: if it is not such an archive, is corrupt, exceeds a limit, or there is no
        space.
    """
    with contextlib.ExitStack() as stack:
        try:
            unfinished = stack.enter_context(unfinished_folder(archive.parent, archive.stem))
        except OSError as error:
            raise PreparationError(f"cannot unpack {archive} beside itself: {error}") from error
        folder = unfinished / "unpacked"
        try:
            with zipfile.ZipFile(archive) as opened:
                members = opened.infolist()
                total = sum(member.file_size for member in members)
                if len(members) > limits.max_members:
                    raise PreparationError(
                        f"{archive} has more than {limits.max_members:,} members (--max_members)"
                    )
                if total > limits.max_bytes:
                    raise PreparationError(
                        f"{archive} unpacks to {total:,} bytes, more than {limits.max_bytes:,} "
                        "(--max_bytes)"
                    )
                folder.mkdir()
                opened.extractall(folder)  # Within the folder, whatever the names say.
        except (
            zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError,
        ) as error:  # fmt: skip
            # RuntimeError: encrypted, or compressed in a way that Python does not know.
            raise PreparationError(
                f"{archive} is corrupt ({error}). Remove it and download it again"
            ) from error
        except OSError as error:
            raise PreparationError(f"cannot unpack {archive}: {error}") from error
        found = [path for path in (folder, *folder.iterdir()) if path.is_dir()]
        for path in found:
            if is_unpaired_set(path):
                yield path
                return
        raise PreparationError(f"{archive} holds no folders trainA and trainB")
