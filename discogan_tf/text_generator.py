"""A trained text-to-image run in Python: sentences to images."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf import text
from discogan_tf.errors import ConfigError
from discogan_tf.hardware import inference_batch_size
from discogan_tf.models import create_inference_model
from discogan_tf.models.stackgan import StackGAN, noise_of
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.workdir import read_config, read_vocabulary


class TextGenerator:
    """The generator of a StackGAN run.

    Args:
      workdir: Folder of a trained run with --model=stackgan.
      checkpoint: As for `restore_generators`.

    Attributes:
      step: The step of the checkpoint.

    Raises:
      ConfigError: if there is no such run, or it is another model.
      CheckpointError: if it has no readable checkpoint.
    """

    def __init__(self, workdir: Path, checkpoint: str = "last"):
        config = read_config(workdir)
        model = create_inference_model(config)
        if not isinstance(model, StackGAN):
            raise ConfigError(
                f"{workdir} holds no text-to-image model; give a run of --model=stackgan"
            )
        self._model, self._batch_size = model, inference_batch_size(config.image_size)
        self.step = restore_generators(workdir, model, checkpoint)
        self._vocabulary = read_vocabulary(workdir)
        self._stages = tf.function(model.stages, reduce_retracing=True)

    def embed(self, sentences: list[str]) -> tf.Tensor:
        """float32 [n, size of the embedding]."""
        return self._model.generators["generate"].encoder(text.encode(sentences))

    def generate(self, embeddings: tf.Tensor, seeds: np.ndarray) -> dict[str, np.ndarray]:
        """Images of embedded sentences.

        Args:
          embeddings: The result of `embed`.
          seeds: Seed of each image, int64 [n].

        Returns:
          "stage 1" if there are two stages, and "image" -> uint8 [n, size, size, 3].
        """
        noise = noise_of(tf.constant(seeds, tf.int64), self._model.noise_size)
        found: dict[str, list] = {}
        for start in range(0, len(noise), self._batch_size):
            some = slice(start, start + self._batch_size)
            for name, images in self._stages(embeddings[some], noise[some]).items():
                label = name.removesuffix("_image").replace("fake", "image")
                found.setdefault(label, []).append(pixels.to_uint8(images))
        return {label: np.concatenate(parts) for label, parts in found.items()}

    def notes(self, sentence: str) -> list[str]:
        """What training has not seen of a sentence, and what of it is cut off."""
        found = []
        if characters := text.unknown_characters(sentence):
            found.append(f"unknown characters, which are ignored: {' '.join(characters)}")
        known = self._vocabulary
        words = dict.fromkeys(text.words(sentence)) if known is not None else ()
        if unseen := [word for word in words if word not in known]:
            found.append(f"words that training has not seen: {', '.join(unseen)}")
        if text.is_cut(sentence):
            read = text.decode(text.encode([sentence])[0])
            found.append(f"only {text.LENGTH} characters are read, up to {read[-20:]!r}")
        return found
