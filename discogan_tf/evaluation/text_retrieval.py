"""What a text encoder distinguishes: retrieval of images by their captions.

A text-to-image model cannot show what its text encoder does not distinguish, so these numbers come
first.
"""

import re

import numpy as np
import tensorflow as tf

from discogan_tf import text
from discogan_tf.config import Config
from discogan_tf.data.captions import Captions
from discogan_tf.data.domains import (
    Domain,
    count_images,
    evenly_spaced,
    load_domain,
    load_domain_captions,
    thinned,
    to_input,
)
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.models.text_encoder import TextEncoderModel

# Name of what is measured, in the place of a direction.
TEXT_TO_IMAGE = "text2image"
_BATCH_SIZE = 256
_RECALLED = 10
# A color that fewer of the images have is not requested.
_FEWEST = 10


class TextRetrieval:
    """Finds held-out images by their captions.

    Args:
      model: A `TextEncoderModel`. Its networks run outside training mode.
      images: The images.
      captions: Of them.
    """

    def __init__(self, model, images: Domain, captions: Captions):
        self._images, self._captions = images, captions
        self._encode_text = tf.function(model.text, reduce_retracing=True)
        self._encode_images = tf.function(model.images, reduce_retracing=True)
        self._colors = np.array([row["color"].lower() for row in captions.rows])
        names, counts = np.unique(self._colors[self._colors != ""], return_counts=True)
        self._names = [str(name) for name in names[counts >= _FEWEST]]

    def measure(self, resamples: int = 0) -> dict[str, Measurement]:
        """Recall, and what words of color and their order do, with the current weights.

        Returns:
          recall_1, recall_10: Share of captions whose image is the best, or among the ten best.
          class_accuracy: Share of captions whose best image is of their class.
          color_follows: Of captions that name the color of their image, with another color's name
            in its place, the share whose best image has the other color.
          order_matters: Of captions that name two colors, exchanged, the share that suits the image
            less.
          score: Percentage of captions whose image is not among the ten best; lower is better.
        """
        batches = range(0, len(self._images.names), _BATCH_SIZE)
        embedded = np.concatenate(
            [
                self._encode_images(to_input(self._images.images[i : i + _BATCH_SIZE])).numpy()
                for i in batches
            ]
        )
        scores = self._texts(self._captions.characters[:, 0]) @ embedded.T
        count, own = len(scores), np.diagonal(scores)
        # Images that suit a caption equally count as better: an encoder that gives all images one
        # embedding recalls none.
        rank = (scores >= own[:, None]).sum(1) - 1
        classes = self._captions.classes
        same = classes[scores.argmax(1)] == classes
        chance = float((classes[:, None] == classes).mean())
        found = {
            "recall_1": _share(rank < 1, resamples, 1 / count),
            "recall_10": _share(rank < _RECALLED, resamples, min(1.0, _RECALLED / count)),
            "class_accuracy": _share(same, resamples, chance),
        }
        found |= self._color_follows(embedded, resamples) | self._order_matters(embedded, resamples)
        recall = found["recall_10"]
        found["score"] = Measurement(
            100 * (1 - recall.value), count, reference=100 * (1 - recall.reference)
        )
        return found

    def _color_follows(self, embedded: np.ndarray, resamples: int) -> dict[str, Measurement]:
        captions, requested = [], []
        for index, row in enumerate(self._captions.rows):
            others = [name for name in self._names if name != self._colors[index]]
            for caption in row["captions"][:1] if others and self._colors[index] else []:
                other = others[index % len(others)]
                changed = _with_words({self._colors[index]: other}, caption)
                if changed != caption.lower():
                    captions.append(changed)
                    requested.append(other)
        if not captions:
            return {}
        best = (self._texts(text.encode(captions)) @ embedded.T).argmax(1)
        hit = self._colors[best] == np.array(requested)
        chance = float(np.mean([(self._colors == color).mean() for color in requested]))
        return {"color_follows": _share(hit, resamples, chance)}

    def _order_matters(self, embedded: np.ndarray, resamples: int) -> dict[str, Measurement]:
        captions, exchanged, indices = [], [], []
        for index, row in enumerate(self._captions.rows):
            for caption in row["captions"][:1]:
                named = [name for name in self._names if _named(name, caption)]
                # "blue" is part of "navy blue".
                named = [n for n in named if not any(n != m and n in m for m in named)]
                if len(named) == 2:
                    captions.append(caption)
                    exchanged.append(
                        _with_words(dict(zip(named, named[::-1], strict=True)), caption)
                    )
                    indices.append(index)
        if not captions:
            return {}
        texts = self._texts(text.encode(captions)), self._texts(text.encode(exchanged))
        before, after = ((of * embedded[indices]).sum(1) for of in texts)
        return {"order_matters": _share(after < before, resamples, 0.5)}

    def _texts(self, characters: np.ndarray) -> np.ndarray:
        starts = range(0, len(characters), _BATCH_SIZE)
        parts = [self._encode_text(tf.constant(characters[i : i + _BATCH_SIZE])) for i in starts]
        return np.concatenate(parts)


def load_retrieval(model, config: Config, split: str, count: int) -> TextRetrieval | None:
    """The retrieval of some images of a split; None if the model is no text encoder.

    Args:
      model: A model of `MODELS`.
      config: The run's settings.
      split: "train" or "val"; without validation images, training images in their place.
      count: How many images, evenly spaced; all if there are fewer.

    Raises:
      DataError: if the split is missing.
    """
    if not isinstance(model, TextEncoderModel):
        return None
    if split not in count_images(config.data_dir, config.domain, config.image_size):
        split = "train"
    place = config.data_dir, config.domain, split, config.image_size
    images, captions = load_domain(*place), load_domain_captions(*place)
    indices = evenly_spaced(np.arange(len(images.names)), count)
    return TextRetrieval(model, thinned(images, count), captions.take(indices))


def _share(hits: np.ndarray, resamples: int, chance: float) -> Measurement:
    return mean_of(hits.astype(float), resamples, reference=chance, better="higher")


def _named(name: str, caption: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", caption.lower()) is not None


def _with_words(replacements: dict[str, str], caption: str) -> str:
    """A caption in lower case with names replaced, all at once."""
    pattern = "|".join(rf"\b{re.escape(name)}\b" for name in replacements)
    return re.sub(pattern, lambda found: replacements[found.group()], caption.lower())
