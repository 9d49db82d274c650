"""Whether images show what their texts say: type and color, by a classifier trained apart.

The classifier learns from real images: those of training, and held-out ones that are not compared,
without which it would not know combinations that training has not seen. Real images that it has not
seen show how often it is right at all; texts of other images show what chance would give.
"""

import re

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf import text
from discogan_tf.config import Config
from discogan_tf.data.captions import Captions
from discogan_tf.data.color_names import basic_color
from discogan_tf.data.domains import (
    Domain,
    evenly_spaced,
    load_domain,
    load_domain_captions,
    to_input,
)
from discogan_tf.evaluation import palette
from discogan_tf.evaluation.attribute_classifier import (
    attributes_of,
    classifiable,
    train_classifier,
)
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.evaluation.text_precision import TextEvaluator
from discogan_tf.hardware import inference_batch_size
from discogan_tf.models.stackgan import StackGAN, noise_of

# Texts, and images of each, for diversity within a text.
_TEXTS, _IMAGES_PER_TEXT = 25, 8


class TextFidelity:
    """Compares what images of held-out captions show with what these say.

    Args:
      model: A `StackGAN`, with its trained weights.
      config: The run's settings.
      known: Sets of real images and their captions, with types and colors, to train a classifier.
      held_out: Other images.
      captions: Of them.
    """

    def __init__(
        self,
        model: StackGAN,
        config: Config,
        known: list[tuple[Domain, Captions]],
        held_out: Domain,
        captions: Captions,
    ):
        self._model, self._config = model, config
        self._known = known
        rows = [row for _, captions in known for row in captions.rows]
        self._attributes = classifiable([*rows, *captions.rows])
        # The classifier learns from these.
        labeled = [row for row in rows if row["type"] and row["color"]]
        types, colors = ({row[key] for row in labeled} for key in ("type", "color"))
        named = [(_caption_with_color(row), index) for index, row in enumerate(captions.rows)]
        usable = [
            (caption, index)
            for caption, index in named
            if caption
            and captions.rows[index]["type"] in types
            and captions.rows[index]["color"] in colors
        ]
        self._texts = [caption for caption, _ in usable]
        indices = np.array([index for _, index in usable], int)
        self._rows = [captions.rows[index] for index in indices]
        # "Navy blue" of a type is not unseen if training has "blue" of it.
        seen = {_class_of(row) for row in [*rows, *captions.rows] if not row["held_out"]}
        self._unseen = np.array([_class_of(row) not in seen for row in self._rows], bool)
        self._real = to_input(held_out.images[indices]).numpy() if len(indices) else None

    def measure(
        self, resamples: int = 0, evaluator: TextEvaluator | None = None
    ) -> dict[str, Measurement]:
        """Accuracies, of captions that name the color of their image, and diversity.

        Args:
          resamples: Samples for each bootstrap interval; 0 for none.
          evaluator: A text encoder to compare images with texts.

        Returns:
          type_accuracy, color_accuracy: Share of generated images classified as their text says.
            References are those of the real images.
          basic_color_accuracy: The same of the basic colors, see `color_names`: catalogs have
            many names for one color, which people use inconsistently.
          ATTRIBUTE_accuracy: The same of other columns with few values, such as the pattern of the
            synthetic sample, whether or not the caption says them.
          unseen_...: The same of types in basic colors that training has not seen, if there are
            any.
          text_diversity: Mean distance of two images of one text, over that of two real images of
            one type and color. The reference is 1.
          caption_diversity: The same of images of different texts, from the same noise, and of any
            two real images: low if texts change little.
          pixel_color_accuracy, pixel_two_color_accuracy: Of the synthetic sample, see `palette`.
          r_precision, text_gap: By `evaluator`, if there is one; see `TextEvaluator`.
          Nothing, if no caption names a color.
        """
        if len(self._texts) < 2:
            print(
                "Note: captions that name colors are missing, so texts and images stay uncompared."
            )
            return {}
        classify = train_classifier(self._known, self._attributes, self._config.image_size)
        images = self._generate(text.encode(self._texts), np.arange(len(self._texts)))
        found = {}
        of_fake, of_real = (self._right(classify(of)) for of in (images, self._real))
        for prefix, chosen in (("", slice(None)), ("unseen_", self._unseen)):
            if prefix and self._unseen.sum() < 2:
                continue
            for name, right in of_fake.items():
                found[f"{prefix}{name}_accuracy"] = mean_of(
                    right[chosen], resamples, reference=float(of_real[name][chosen].mean()),
                    better="higher",
                    note=f"reference: real images; chance is {self._chance(name):.2f}",
                )  # fmt: skip
        known = [row for _, captions in self._known for row in captions.rows]
        found |= palette.measure(self._rows, known, images, self._real, resamples)
        if evaluator:
            values = [_class_of(row) for row in self._rows]
            classes = np.unique(values, axis=0, return_inverse=True)[1].ravel()
            found |= evaluator.measure(self._texts, classes, images, self._real, resamples)
        return found | self._diversity(resamples) | self._caption_diversity(resamples)

    def _generate(self, characters: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Images of texts as 8 bits would show them, float32."""
        generator = self._model.generators["generate"]
        run = tf.function(generator, reduce_retracing=True)
        noise = noise_of(tf.constant(seeds, tf.int64), self._model.noise_size)
        count = inference_batch_size(self._config.image_size)
        parts = [
            run(tf.constant(characters[i : i + count]), noise[i : i + count]).numpy()
            for i in range(0, len(characters), count)
        ]
        return pixels.to_float(pixels.to_uint8(np.concatenate(parts))).numpy()

    def _right(self, classified: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Attribute -> whether each image shows what its row says, float64 [n]."""
        found = {name: of == self._values(name) for name, of in classified.items()}
        basic = [basic_color(color) for color in classified["color"]]
        found["basic_color"] = np.array(basic) == self._values("basic_color")
        return {name: of.astype(float) for name, of in found.items()}

    def _values(self, attribute: str) -> np.ndarray:
        """An attribute of each compared image."""
        if attribute == "basic_color":
            return np.array([basic_color(row["color"]) for row in self._rows])
        return np.array([attributes_of(row)[attribute] for row in self._rows])

    def _chance(self, attribute: str) -> float:
        """Share of pairs of captions that agree."""
        values = self._values(attribute)
        return float((values[:, None] == values).mean())

    def _diversity(self, resamples: int) -> dict[str, Measurement]:
        chosen = evenly_spaced(np.arange(len(self._texts)), _TEXTS)
        characters = np.repeat(text.encode([self._texts[i] for i in chosen]), _IMAGES_PER_TEXT, 0)
        images = self._generate(characters, np.tile(np.arange(_IMAGES_PER_TEXT), len(chosen)))
        within = np.array([_spread(of_text) for of_text in np.split(images, len(chosen))])
        classes = [(row["type"], row["color"]) for row in self._rows]
        real = [
            _spread(
                self._real[[i for i, one in enumerate(classes) if one == kind][:_IMAGES_PER_TEXT]]
            )
            for kind in dict.fromkeys(classes)
            if classes.count(kind) > 1
        ]
        if not real:
            return {}
        return {
            "text_diversity": mean_of(
                within / np.mean(real), resamples, reference=1.0, better="higher"
            )
        }

    def _caption_diversity(self, resamples: int) -> dict[str, Measurement]:
        """Over groups of texts, each with a noise of its own."""
        chosen = evenly_spaced(np.arange(len(self._texts)), _TEXTS * _IMAGES_PER_TEXT)
        shuffled = np.random.default_rng(0).permutation(chosen)
        groups = np.array_split(shuffled, min(_TEXTS, len(chosen) // 2))
        indices = np.concatenate(groups)
        seeds = np.concatenate([np.full(len(group), n) for n, group in enumerate(groups)])
        images = self._generate(text.encode([self._texts[i] for i in indices]), seeds)
        ends = np.cumsum([len(group) for group in groups])[:-1]
        between = np.array([_spread(of_group) for of_group in np.split(images, ends)])
        real = np.mean([_spread(self._real[group]) for group in groups])
        return {
            "caption_diversity": mean_of(between / real, resamples, reference=1.0, better="higher")
        }


def load_fidelity(model, config: Config, split: str, count: int) -> TextFidelity | None:
    """The fidelity of images of some captions of a split; None if the model takes no texts.

    Args:
      model: A model of `MODELS`.
      config: The run's settings.
      split: "train" or "val".
      count: How many captions, evenly spaced; half of the split if it has fewer than twice as many.

    Raises:
      DataError: if a split is missing.
    """
    if not isinstance(model, StackGAN):
        return None

    def load(of_split):
        place = config.data_dir, config.domain, of_split, config.image_size
        return load_domain(*place), load_domain_captions(*place)

    def part(of_images, of_captions, indices):
        names = [of_images.names[index] for index in indices]
        return Domain(of_images.images.take(indices), names), of_captions.take(indices)

    images, captions = load(split)
    everything = np.arange(len(images.names))
    compared = evenly_spaced(everything, min(count, (len(everything) + 1) // 2))
    known = [part(images, captions, np.setdiff1d(everything, compared))]
    known += [load("train")] if split != "train" else []
    return TextFidelity(model, config, known, *part(images, captions, compared))


def _class_of(row: dict) -> tuple[str, str]:
    """Type and basic color."""
    return row["type"], basic_color(row["color"])


def _caption_with_color(row: dict) -> str | None:
    """The first caption of an image that names its color."""
    color = row["color"].lower()
    return next(
        (
            caption
            for caption in row["captions"]
            if color and re.search(rf"\b{re.escape(color)}\b", caption.lower())
        ),
        None,
    )


def _spread(images: np.ndarray) -> float:
    """Mean root mean square difference of two of the images."""
    flat = images.reshape(len(images), -1)
    first, second = np.triu_indices(len(flat), 1)
    return float(np.sqrt(np.square(flat[first] - flat[second]).mean(1)).mean())
