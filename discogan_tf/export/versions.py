"""The versions of an export on disk, and a loaded one."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf.errors import ExportError


def version_folders(export_dir: Path) -> dict[str, list[Path]]:
    """Direction -> the folders of its versions, the oldest first; empty without an export."""
    found = {}
    for path in sorted(export_dir.glob("*/*/saved_model.pb")):
        if path.parent.name.isdecimal():
            found.setdefault(path.parent.parent.name, []).append(path.parent)
    return {
        name: sorted(folders, key=lambda path: int(path.name)) for name, folders in found.items()
    }


def identity(folder: Path) -> tuple:
    """A value that changes when a version is replaced by another of the same number."""
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
        # 0 while it is being exported, and has no number yet.
        self.number = int(folder.name) if folder.name.isdecimal() else 0
        self.folder, self.identity = folder, identity(folder)
        try:
            # A reference must stay: its variables live as long as it does.
            self._loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ExportError(f"cannot load {folder}: {error}") from error
        self.signatures = dict(self._loaded.signatures)

    def inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """Name of each input of a signature -> its specification."""
        return self.signatures[signature].structured_input_signature[1]

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          signature: Its name.
          inputs: Name -> numbers, or objects of type bytes.

        Returns:
          Name of each output -> value, likewise.

        Raises:
          tf.errors.InvalidArgumentError: if the graph refuses the inputs; the message says why.
        """
        tensors = {
            name: tf.constant(list(value) if value.dtype == object else value)
            for name, value in inputs.items()
        }
        outputs = self.signatures[signature](**tensors)
        return {name: value.numpy() for name, value in outputs.items()}

    def outputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """Name of each output of a signature -> its specification."""
        return self.signatures[signature].structured_outputs
