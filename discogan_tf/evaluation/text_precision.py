"""Whether generated images suit their own text best, by a text encoder that did not train them.

R-precision (Xu et al. 2018, arXiv 1711.10485, section 4.1) with R = 1. By the encoder that a
generator was trained with it would say little: images can please an encoder without showing what
the text says. So the evaluating encoder has another seed, and has seen another part of the data.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import text
from discogan_tf.errors import ConfigError
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.models import create_inference_model
from discogan_tf.models.stackgan import StackGAN
from discogan_tf.models.text_encoder import TextEncoderModel
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.workdir import read_config

_OTHERS = 99
_BATCH_SIZE = 256


class TextEvaluator:
    """Compares images with texts.

    Args:
      encoders: A trained `TextEncoderModel`. Its networks run outside training mode.
      image_size: Height and width of the images that it takes.
    """

    def __init__(self, encoders: TextEncoderModel, image_size: int):
        self._size = image_size
        self._encode_text = tf.function(encoders.text, reduce_retracing=True)
        self._encode_images = tf.function(encoders.images, reduce_retracing=True)

    def measure(
        self,
        texts: list[str],
        classes: np.ndarray,
        images: np.ndarray,
        real: np.ndarray,
        resamples: int = 0,
    ) -> dict[str, Measurement]:
        """How well images suit their own texts, compared with texts of other classes.

        Args:
          texts: n texts.
          classes: int [n], what they describe; texts of one class may describe the same image.
          images: Generated from them, float32 [n, size, size, 3] in [0, 1], of any size.
          real: The real images that they caption, likewise.
          resamples: Samples for each bootstrap interval; 0 for none.

        Returns:
          r_precision: Share of images whose own text suits them better than 99 texts of other
            classes, or as many as there are. The reference is that of real images.
          text_gap: Mean score of an image's own text minus that of the others, divided by that of
            real images. The reference is 1.
          Nothing, if all texts are of one class.
        """
        candidates = _candidates(classes)
        if candidates is None:
            return {}
        embedded = self._embed(self._encode_text, text.encode(texts))[candidates]
        found = []
        for of in (images, real):
            scores = np.einsum("nf,nkf->nk", self._embed(self._encode_images, self._fitted(of)),
                               embedded)  # fmt: skip
            own, others = scores[:, 0], scores[:, 1:]
            found.append(((own > others.max(1)).astype(float), own - others.mean(1)))
        (hit, gap), (real_hit, real_gap) = found
        chance = 1 / candidates.shape[1]
        return {
            "r_precision": mean_of(
                hit, resamples, reference=float(real_hit.mean()), better="higher",
                note=f"reference: real images; chance is {chance:.2f}",
            ),
            "text_gap": mean_of(
                gap / real_gap.mean(), resamples, reference=1.0, better="higher"
            ),
        }  # fmt: skip

    def _fitted(self, images: np.ndarray) -> np.ndarray:
        """Images of the size that the encoder takes."""
        if images.shape[1] == self._size:
            return images
        method = "area" if images.shape[1] > self._size else "bilinear"
        return tf.image.resize(images, (self._size, self._size), method).numpy()

    @staticmethod
    def _embed(encode, values: np.ndarray) -> np.ndarray:
        starts = range(0, len(values), _BATCH_SIZE)
        return np.concatenate(
            [encode(tf.constant(values[i : i + _BATCH_SIZE])).numpy() for i in starts]
        )


def load_text_evaluator(workdir: Path, model: StackGAN) -> TextEvaluator:
    """The text encoder of a run, as an evaluator of a model's images.

    Args:
      workdir: Of a run with --model=text_encoder.
      model: Whose images it shall evaluate.

    Raises:
      ConfigError: if there is no such run, or if it is the one that the model was trained with.
      CheckpointError: if it has no checkpoint.
    """
    config = read_config(workdir)
    encoders = create_inference_model(config)
    if not isinstance(encoders, TextEncoderModel):
        raise ConfigError(f"--text_encoder={workdir}: not a run with --model=text_encoder")
    restore_generators(workdir, encoders)
    own = model.generators["generate"].encoder
    if all(
        one.shape == other.shape and np.array_equal(one, other)
        for one, other in zip(encoders.text.variables, own.variables, strict=True)
    ):
        raise ConfigError(
            f"--text_encoder={workdir} is the encoder that the run was trained with, which would "
            "evaluate itself. Train another with --seed=1 --train_share=0.5"
        )
    return TextEvaluator(encoders, config.image_size)


def _candidates(classes: np.ndarray) -> np.ndarray | None:
    """For each text its index, then those of others of other classes, int [n, 1 + others]."""
    of_others = [np.flatnonzero(classes != one) for one in classes]
    count = min(_OTHERS, min(map(len, of_others)))
    if not count:
        return None
    rng = np.random.default_rng(0)
    return np.array(
        [
            [index, *rng.choice(others, count, replace=False)]
            for index, others in enumerate(of_others)
        ]
    )
