"""What the REST and the gRPC client have in common."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from discogan_tf.errors import ServingError


class PredictionClient:
    """A client of exported translations. Subclasses define `predict`."""

    def predict(
        self, name: str, signature: str, inputs: dict[str, np.ndarray], version: int | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          name: Name of the model: a direction.
          signature: Name of the signature.
          inputs: Name -> numbers, or objects of type bytes; the first axis is that of the batch.
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
        outputs = self.predict(direction, "translate_bytes", inputs, version)
        return _png_files(outputs, len(files))

    def generate(
        self, name: str, sentences: list[str], seeds: list[int], version: int | None = None
    ) -> list[bytes]:
        """Sentences to PNG files, in one request, each with its seed. Errors as for `predict`."""
        inputs = {
            "text": np.array([sentence.encode() for sentence in sentences], object),
            "seed": np.array(seeds, np.int64),
        }
        outputs = self.predict(name, "generate_bytes", inputs, version)
        return _png_files(outputs, len(sentences))


def _png_files(outputs: dict[str, np.ndarray], count: int) -> list[bytes]:
    """The images of an answer.

    Raises:
      ServingError: if they are not as many PNG files as requested.
    """
    files = list(outputs.get("image_bytes", ()))
    if len(files) != count:
        raise ServingError(f"the server sent {len(files)} images, {count} were requested")
    for file in files:
        try:
            with Image.open(io.BytesIO(file), formats=("PNG",)) as image:
                image.verify()
        except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
            raise ServingError("the server sent something that is not a PNG image") from error
    return files
