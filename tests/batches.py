"""Batches of noise for any model."""

import numpy as np
import tensorflow as tf

from discogan_tf import text

# Settings of the models of captioned images.
CAPTIONED = {"domain": "sample_captions", "text_features": 8}
TEXT_ENCODER = CAPTIONED | {"model": "text_encoder"}
STAGE_1 = CAPTIONED | {"model": "stackgan", "condition_size": 4, "noise_size": 5}
STAGE_2 = STAGE_1 | {"stage_1_size": 16, "residual_blocks": 1}

_CAPTIONS = ("red boot", "a blue tote with dots", "one plain loafer in black", "pump")


def noise_batch(model, image_size: int, count: int = 4) -> dict[str, tf.Tensor]:
    """A batch of `count` images of noise for each stream of images, with captions if need be."""
    rng = np.random.default_rng(0)
    shape = (count, image_size, image_size, 3)
    batch = {
        stream: tf.constant(rng.random(shape, np.float32))
        for stream in model.streams
        if stream != "text"
    }
    if "text" in model.streams:
        captions = [_CAPTIONS[index % len(_CAPTIONS)] for index in range(count)]
        batch["text"] = tf.constant(text.encode(captions))
        batch["wrong_text"] = tf.constant(text.encode(captions[::-1]))
        batch["class"] = tf.range(count)
        noise = rng.normal(size=(count, model.noise_size))
        batch["noise"] = tf.constant(noise.astype(np.float32))
    return batch
