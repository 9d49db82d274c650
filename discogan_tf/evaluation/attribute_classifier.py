"""A classifier of what images show, trained on real images and their tables."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from discogan_tf import images as pixels
from discogan_tf.data.captions import Captions
from discogan_tf.data.domains import Domain
from discogan_tf.networks.layers import Dense
from discogan_tf.networks.text import ImageEncoder

_BATCH_SIZE = 64
_FEATURES = 128
# About so many images are seen, with this learning rate, falling to 0.
_SEEN, _LEARNING_RATE = 200_000, 1e-3
# An attribute with more values is a measurement, or an identity.
_MOST_VALUES = 20

# For each attribute the values that images have, [n].
Classify = Callable[[np.ndarray], dict[str, np.ndarray]]


class AttributeClassifier(keras.Model):
    """Images [batch, size, size, 3] in [0, 1] to logits of each attribute, float32.

    Args:
      size: Height and width of the images.
      num_values: Attribute -> number of its values.
    """

    def __init__(self, size: int, num_values: dict[str, int]):
        super().__init__(name="classifier", autocast=False)
        self.encoder = ImageEncoder("encoder", size, _FEATURES)
        self.heads = {
            name: Dense(count, True, f"to_{name}", keras.initializers.GlorotUniform())
            for name, count in num_values.items()
        }

    def call(self, images):
        features = tf.nn.relu(self.encoder(images))
        return {name: head(features) for name, head in self.heads.items()}


def attributes_of(row: dict) -> dict[str, str]:
    """What a row of captions says of its image: type, color, and the other attributes."""
    return row["attributes"] | {"type": row["type"], "color": row["color"]}


def classifiable(rows: list[dict]) -> dict[str, list[str]]:
    """Attributes that every row has and that few values distinguish -> their values, sorted.

    Type and color, where there are any, with as many values as there are. An attribute that says
    the same as another is left out.
    """
    found, partitions = {}, []
    names = dict.fromkeys(["type", "color", *(name for row in rows for name in row["attributes"])])
    for name in names:
        of_rows = [attributes_of(row).get(name, "") for row in rows]
        values = sorted(set(of_rows) - {""})
        is_main = name in ("type", "color")
        if not values or (not is_main and ("" in of_rows or not 2 <= len(values) <= _MOST_VALUES)):
            continue
        # The same partition of the images under other names of its parts.
        numbers = {value: index for index, value in enumerate(dict.fromkeys(of_rows))}
        partition = [numbers[value] for value in of_rows]
        if is_main or partition not in partitions:
            found[name] = values
            partitions.append(partition)
    return found


def train_classifier(
    known: list[tuple[Domain, Captions]],
    values: dict[str, list[str]],
    size: int,
) -> Classify:
    """Trains a classifier on real images.

    Args:
      known: Sets of images and their captions.
      values: The result of `classifiable`.
      size: Height and width of the images.

    Returns:
      A function from images, float32 [n, size, size, 3] in [0, 1], to the value of each attribute.
    """
    keras.utils.set_random_seed(0)
    classifier = AttributeClassifier(size, {name: len(of) for name, of in values.items()})
    classifier(tf.zeros((1, size, size, 3)))
    rows = [attributes_of(row) for _, captions in known for row in captions.rows]
    labels = {
        name: np.array([of.index(row[name]) if row.get(name) in of else -1 for row in rows])
        for name, of in values.items()
    }
    labeled = np.flatnonzero(np.all([of >= 0 for of in labels.values()], axis=0))
    sources = [images.images for images, _ in known]
    starts = np.cumsum([0] + [len(images) for images in sources])
    num_steps = max(1, _SEEN // _BATCH_SIZE)
    schedule = keras.optimizers.schedules.PolynomialDecay(_LEARNING_RATE, num_steps, 0.0)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(classifier.trainable_variables)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = sum(
                tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels[name], logits))
                for name, logits in classifier(images).items()
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
        step(tf.constant(images), {name: tf.constant(of[some]) for name, of in labels.items()})

    run = tf.function(classifier, reduce_retracing=True)

    def classify(images):
        parts = [
            run(tf.constant(images[start : start + _BATCH_SIZE]))
            for start in range(0, len(images), _BATCH_SIZE)
        ]
        return {
            name: np.array(of)[np.concatenate([part[name].numpy().argmax(1) for part in parts])]
            for name, of in values.items()
        }

    return classify
