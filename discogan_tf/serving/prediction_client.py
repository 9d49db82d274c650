"""What the REST and the gRPC client have in common."""

from collections.abc import Callable

import numpy as np


class PredictionClient:
    """A client of exported translations. Subclasses define `predict`."""

    def predict(
        self, name: str, signature: str, inputs: dict[str, np.ndarray], version: int | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          name: Name of the model: a direction.
          signature: Name of the signature.
          inputs: Name -> float32, or objects of type bytes where the name ends in `_bytes`; the
            first axis is that of the batch.
          version: Which version; None for the newest.

        Returns:
          Name of each output -> value, likewise.

        Raises:
          ServingError: if there is no answer in time, no such model or version, or the request is
            refused.
        """
        raise NotImplementedError

    def predictor(self, name: str, version: int | None = None) -> Callable:
        """A function from a signature's name and inputs to its outputs, for `golden.replay`."""
        return lambda signature, inputs: self.predict(name, signature, inputs, version)

    def translate(
        self, direction: str, files: list[bytes], version: int | None = None
    ) -> list[bytes]:
        """Image files to PNG files, in one request. Arguments and errors as for `predict`."""
        inputs = {"image_bytes": np.array(files, object)}
        return list(self.predict(direction, "translate_bytes", inputs, version)["image_bytes"])
