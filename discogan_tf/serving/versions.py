"""The versions of an export on disk, and one of them loaded."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf.errors import ExportError


def version_folders(export_dir: Path) -> dict[str, list[Path]]:
    """Direction -> the folders of its versions, the oldest first; empty if nothing was exported."""
    found = {}
    for path in sorted(export_dir.glob("*/*/saved_model.pb")):
        if path.parent.name.isdecimal():
            found.setdefault(path.parent.parent.name, []).append(path.parent)
    return {name: sorted(folders, key=lambda folder: int(folder.name)) for name, folders in found.items()}


def identity(folder: Path) -> tuple:
    """What changes when a version is replaced by another of its number."""
    status = (folder / "saved_model.pb").stat()
    return folder.name, status.st_ino, status.st_size, status.st_mtime_ns


class Version:
    """A loaded SavedModel.

    Args:
      folder: EXPORT_DIR/DIRECTION/VERSION.

    Raises:
      ExportError: if it cannot be loaded.
    """

    def __init__(self, folder: Path):
        # 0 while it is being made, and not numbered yet.
        self.number = int(folder.name) if folder.name.isdecimal() else 0
        self.folder, self.identity = folder, identity(folder)
        try:
            # Kept, for its variables live as long as it does.
            self._loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ExportError(f"cannot load {folder}: {error}") from error
        self.signatures = dict(self._loaded.signatures)

    def inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """Name -> specification of what a signature takes."""
        return self.signatures[signature].structured_input_signature[1]

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature: name -> float32, or objects of type bytes, to the same.

        Raises:
          tf.errors.InvalidArgumentError: if the graph refuses the inputs, saying why.
        """
        tensors = {
            name: tf.constant(list(value) if value.dtype == object else value)
            for name, value in inputs.items()
        }
        return {name: value.numpy() for name, value in self.signatures[signature](**tensors).items()}
