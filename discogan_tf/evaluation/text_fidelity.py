"""Whether images show what their texts say: type and color, by a classifier trained apart.

The classifier learns from real images: those of training, and held-out ones that are not compared,
without which it would not know combinations that training has not seen. Real images that it has not
seen show how often it is right at all; texts of other images show what chance would give.
"""

import re

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

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
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.models.stackgan import StackGAN, noise_of
from discogan_tf.networks.layers import Dense
from discogan_tf.networks.text import ImageEncoder

_BATCH_SIZE = 64
_FEATURES = 128
# Of its training: about so many images are seen, with this learning rate, falling to 0.
_SEEN, _LEARNING_RATE = 200_000, 1e-3
# Texts, and images of each, for diversity within a text.
_TEXTS, _IMAGES_PER_TEXT = 25, 8


class AttributeClassifier(keras.Model):
    """Images [batch, size, size, 3] in [0, 1] to logits of types and of colors, float32.

    Args:
      size: Height and width of the images.
      num_types, num_colors: Numbers of logits.
    """

    def __init__(self, size: int, num_types: int, num_colors: int):
        super().__init__(name="classifier", autocast=False)
        self.encoder = ImageEncoder("encoder", size, _FEATURES)
        self.to_types = Dense(num_types, True, "to_types", keras.initializers.GlorotUniform())
        self.to_colors = Dense(num_colors, True, "to_colors", keras.initializers.GlorotUniform())

    def call(self, images):
        features = tf.nn.relu(self.encoder(images))
        return self.to_types(features), self.to_colors(features)


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
        self._types, self._colors = (_names(known, key) for key in ("type", "color"))
        named = [(_caption_with_color(row), index) for index, row in enumerate(captions.rows)]
        usable = [
            (caption, index)
            for caption, index in named
            if caption
            and captions.rows[index]["type"] in self._types
            and captions.rows[index]["color"] in self._colors
        ]
        self._texts = [caption for caption, _ in usable]
        indices = np.array([index for _, index in usable], int)
        self._rows = [captions.rows[index] for index in indices]
        self._real = to_input(held_out.images[indices]).numpy() if len(indices) else None

    def measure(self, resamples: int = 0) -> dict[str, Measurement]:
        """Accuracies, of captions that name the color of their image, and diversity.

        Returns:
          type_accuracy, color_accuracy: Share of generated images classified as their text says.
            References are those of the real images.
          basic_color_accuracy: The same of the basic colors, see `color_names`: catalogs have
            many names for one color, which people use inconsistently.
          unseen_type_accuracy, unseen_color_accuracy, unseen_basic_color_accuracy: The same of
            combinations of type and color that training has not seen, if there are any.
          text_diversity: Mean distance of two images of one text, over that of two real images of
            one type and color. The reference is 1.
          Nothing, if no caption names a color.
        """
        if len(self._texts) < 2:
            return {}
        classify = self._train_classifier()
        characters = text.encode(self._texts)
        images = self._generate(characters, np.arange(len(self._texts)))
        found = {}
        right = {
            kind: self._right(classify(of)) for kind, of in (("fake", images), ("real", self._real))
        }
        unseen = np.array([row["held_out"] for row in self._rows])
        for number, attribute in enumerate(("type", "color", "basic_color")):
            of_fake, of_real = right["fake"][number], right["real"][number]
            chance = self._chance(attribute)
            for prefix, chosen in (("", slice(None)), ("unseen_", unseen)):
                if prefix and unseen.sum() < 2:
                    continue
                found[f"{prefix}{attribute}_accuracy"] = mean_of(
                    of_fake[chosen], resamples, reference=float(of_real[chosen].mean()),
                    better="higher", note=f"reference: real images; chance is {chance:.2f}",
                )  # fmt: skip
        return found | self._diversity(resamples)

    def _generate(self, characters: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Images of texts as 8 bits would show them, float32."""
        generator = self._model.generators["generate"]
        run = tf.function(generator, reduce_retracing=True)
        noise = noise_of(tf.constant(seeds, tf.int64), self._model.noise_size)
        parts = [
            run(tf.constant(characters[i : i + _BATCH_SIZE]), noise[i : i + _BATCH_SIZE]).numpy()
            for i in range(0, len(characters), _BATCH_SIZE)
        ]
        return pixels.to_float(pixels.to_uint8(np.concatenate(parts))).numpy()

    def _train_classifier(self):
        """A function from images to the numbers of their types and colors, int64 [n] each."""
        keras.utils.set_random_seed(0)
        size = self._config.image_size
        classifier = AttributeClassifier(size, len(self._types), len(self._colors))
        classifier(tf.zeros((1, size, size, 3)))
        rows = [row for _, captions in self._known for row in captions.rows]
        labels = [
            np.array([names.index(row[key]) if row[key] in names else -1 for row in rows])
            for key, names in (("type", self._types), ("color", self._colors))
        ]
        labeled = np.flatnonzero((labels[0] >= 0) & (labels[1] >= 0))
        sources = [images.images for images, _ in self._known]
        starts = np.cumsum([0] + [len(images) for images in sources])
        num_steps = _SEEN // _BATCH_SIZE
        schedule = keras.optimizers.schedules.PolynomialDecay(_LEARNING_RATE, num_steps, 0.0)
        optimizer = keras.optimizers.Adam(schedule)
        optimizer.build(classifier.trainable_variables)

        @tf.function
        def step(images, types, colors):
            with tf.GradientTape() as tape:
                loss = sum(
                    tf.reduce_mean(
                        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=one, logits=logits)
                    )
                    for one, logits in zip((types, colors), classifier(images), strict=True)
                )
            variables = classifier.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)

        rng = np.random.default_rng(0)
        for _ in tqdm(range(num_steps), desc="Training a classifier", unit="step", delay=1):
            some = np.sort(rng.choice(labeled, _BATCH_SIZE))
            parts = [
                images[some[(some >= start) & (some < start + len(images))] - start]
                for images, start in zip(sources, starts, strict=False)
            ]
            images = pixels.to_float(np.concatenate(parts)).numpy()
            mirrored = rng.random(_BATCH_SIZE) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
            step(tf.constant(images), *(tf.constant(one[some]) for one in labels))

        run = tf.function(classifier, reduce_retracing=True)

        def classify(images):
            parts = [
                [
                    logits.numpy().argmax(1)
                    for logits in run(tf.constant(images[i : i + _BATCH_SIZE]))
                ]
                for i in range(0, len(images), _BATCH_SIZE)
            ]
            return [np.concatenate(of) for of in zip(*parts, strict=True)]

        return classify

    def _right(self, classified: list[np.ndarray]) -> list[np.ndarray]:
        """Of types, colors, basic colors: whether images are what their rows say, float64 [n]."""
        types, colors = (
            [names[number] for number in numbers]
            for numbers, names in zip(classified, (self._types, self._colors), strict=True)
        )
        named = {"type": types, "color": colors, "basic_color": map(basic_color, colors)}
        return [
            np.array(
                [one == other for one, other in zip(of, self._values(key), strict=True)], float
            )
            for key, of in named.items()
        ]

    def _values(self, attribute: str) -> list[str]:
        """An attribute of each compared image."""
        if attribute == "basic_color":
            return [basic_color(row["color"]) for row in self._rows]
        return [row[attribute] for row in self._rows]

    def _chance(self, attribute: str) -> float:
        """Share of pairs of captions that agree."""
        values = np.array(self._values(attribute))
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


def _names(known: list[tuple[Domain, Captions]], key: str) -> list[str]:
    return sorted({row[key] for _, captions in known for row in captions.rows} - {""})


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
