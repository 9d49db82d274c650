"""A trained run in Python: `discogan_tf.load(workdir).translate(images)`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from discogan_tf import images as pixels
from discogan_tf.errors import ConfigError
from discogan_tf.hardware import inference_batch_size
from discogan_tf.image_files import upright
from discogan_tf.models import create_inference_model
from discogan_tf.models.contract import (
    IMAGES,
    SERVING_DEFAULT,
    TRANSLATED,
    Translation,
    by_display_name,
)
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.provenance import read_fits
from discogan_tf.runs.workdir import read_config
from discogan_tf.tiling import translate_any_size

_CYCLE, _RECONSTRUCTED = "cycle", "reconstructed"


class Translator:
    """The generators of a run.

    Args:
      workdir: Folder of a trained run.
      checkpoint: As for `restore_generators`.

    Attributes:
      config: The run's settings.
      step: The step of the checkpoint.
      directions: Names of its translations, such as "handbags2shoes".
      targets: Name of each -> display name of the domain that it translates to.
      image_size: Height and width of the images that it was trained on, in pixels.
      translates_any_size: Whether `keep_size` translates at that size. Otherwise images are
        translated at `image_size`, and the result is enlarged.

    Raises:
      ConfigError: if there is no run in `workdir`, or its model takes something other than images.
      CheckpointError: if it has no readable checkpoint.
    """

    def __init__(self, workdir: str | Path, checkpoint: str = "last"):
        workdir = Path(workdir)
        self.config = read_config(workdir)
        model = create_inference_model(self.config)
        self._translations = by_display_name(model, self.config.display_names)
        self._signatures, self._fits = model.signatures(), read_fits(workdir)
        for direction, translation in self._translations.items():
            inputs = self._signatures[translation.name][SERVING_DEFAULT].inputs
            if list(inputs) != [IMAGES]:
                raise ConfigError(
                    f"{direction}: this model takes {', '.join(inputs)}, not images. For sentences "
                    "there is discogan_tf.generate"
                )
        if not self._translations:
            raise ConfigError(f"--model={self.config.model} translates no images")
        self.directions = list(self._translations)
        names = self.config.display_names
        self.targets = {name: names[of.target] for name, of in self._translations.items()}
        self.image_size, self._multiple = self.config.image_size, model.size_multiple
        self.translates_any_size = bool(model.size_multiple)
        self.step = restore_generators(workdir, model, checkpoint)
        self._functions: dict[tuple, Callable] = {}

    def resolve(self, direction: str | None) -> str:
        """The name of a direction; the model's own, such as "a_to_b", may be given too.

        Raises:
          ConfigError: if there is no such direction, or none is named and there are several.
        """
        own = {translation.name: name for name, translation in self._translations.items()}
        direction = own.get(direction, direction)
        if direction is None and len(self.directions) == 1:
            return self.directions[0]
        if direction not in self._translations:
            named = "none" if direction is None else repr(direction)
            raise ConfigError(f"direction {named}: this run has {' and '.join(self.directions)}")
        return direction

    def fit(self, direction: str) -> str:
        """How images become square, as for `images.fit_square`: as those of training did."""
        translation: Translation = self._translations[direction]
        return self._fits.get(translation.source, "pad")

    def translate(
        self, images: Sequence, direction: str | None = None, keep_size: bool = False
    ) -> list[np.ndarray]:
        """Translates images.

        Args:
          images: Each an array [height, width, 3] of any size, uint8 in 0 .. 255 or floating point
            in [0, 1]; a Pillow image; or the path of an image file.
          direction: One of `directions`; may be left out if there is only one.
          keep_size: Whether translations get the size of their originals.

        Returns:
          uint8 [image_size, image_size, 3] for each image, or with `keep_size` [height, width, 3].

        Raises:
          ConfigError: as `resolve`.
          OSError: if a file cannot be read.
          ValueError: if an array has another shape or range.
          TypeError: if `images` is an image, not a list.
        """
        direction = self.resolve(direction)
        originals = _as_arrays(images)
        if keep_size and self.translates_any_size:
            return [self._at_its_size(image, direction) for image in originals]
        fit = "pad" if keep_size else self.fit(direction)
        translated = self._run(direction, SERVING_DEFAULT, self._squares(originals, fit))
        if not keep_size:
            return list(translated[TRANSLATED])
        return [
            pixels.unfit_square(square, *original.shape[:2])
            for square, original in zip(translated[TRANSLATED], originals, strict=True)
        ]

    def cycle(
        self, images: Sequence, direction: str | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Translates images, and their translations back.

        Args:
          images, direction: As for `translate`.

        Returns:
          The images as the network takes them, their translations, and their reconstructions, empty
          if the model has no inverse; each uint8 [image_size, image_size, 3].
        """
        direction = self.resolve(direction)
        squares = self._squares(_as_arrays(images), self.fit(direction))
        has_inverse = _CYCLE in self._signatures[self._translations[direction].name]
        outputs = self._run(direction, _CYCLE if has_inverse else SERVING_DEFAULT, squares)
        return list(squares), list(outputs[TRANSLATED]), list(outputs.get(_RECONSTRUCTED, []))

    def _squares(self, originals: list[np.ndarray], fit: str) -> np.ndarray:
        """uint8 [n, image_size, image_size, 3]."""
        squares = [pixels.fit_square(tf.constant(x), self.image_size, fit) for x in originals]
        return np.stack(squares) if squares else np.zeros((0, *[self.image_size] * 2, 3), np.uint8)

    def _run(self, direction: str, signature: str, squares: np.ndarray) -> dict[str, np.ndarray]:
        """Name of each output -> uint8 [n, ...]."""
        if not len(squares):
            return {TRANSLATED: squares, _RECONSTRUCTED: squares}
        function = self._function(direction, signature, self.image_size)
        count = inference_batch_size(self.image_size)
        batches = [
            function(pixels.to_float(squares[start : start + count]))
            for start in range(0, len(squares), count)
        ]
        return {
            name: np.concatenate([pixels.to_uint8(batch[name]) for batch in batches])
            for name in batches[0]
        }

    def _at_its_size(self, original: np.ndarray, direction: str) -> np.ndarray:
        run = self._function(direction, SERVING_DEFAULT, None)
        translated = translate_any_size(
            lambda x: run(x)[TRANSLATED].numpy(), pixels.to_float(original).numpy(), self._multiple
        )
        return pixels.to_uint8(translated)

    def _function(self, direction: str, signature: str, side: int | None) -> Callable:
        """A signature for any batch size, traced once."""
        key = direction, signature, side
        if key not in self._functions:
            spec = tf.TensorSpec((None, side, side, 3), tf.float32)
            function = self._signatures[self._translations[direction].name][signature].function
            self._functions[key] = tf.function(function, input_signature=[spec])
        return self._functions[key]


def _as_arrays(images: Sequence) -> list[np.ndarray]:
    """Each as `_as_array`."""
    if isinstance(images, (str, Path, Image.Image)):
        raise TypeError("give a list of images, such as [image]")
    return [_as_array(image) for image in images]


def _as_array(image) -> np.ndarray:
    """uint8 [height, width, 3] of anything that `Translator.translate` takes."""
    if isinstance(image, (str, Path)):
        return pixels.read_image(Path(image))
    if isinstance(image, Image.Image):
        return pixels.as_rgb(upright(image.copy()))
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape:
        raise ValueError(f"an image has the shape {array.shape}, not [height, width, 3]")
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError("floating-point values must be in [0, 1]")
        return pixels.to_uint8(array)
    if array.dtype != np.uint8:
        raise ValueError(f"an image has the dtype {array.dtype}, not uint8 or floating point")
    return array
