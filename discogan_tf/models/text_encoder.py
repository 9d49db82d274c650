"""Reed et al. 2016 (arXiv 1605.05395): a text encoder, trained with an image encoder."""

import tensorflow as tf

from discogan_tf import losses, text
from discogan_tf.config import Config
from discogan_tf.models.contract import Signature
from discogan_tf.networks.text import ImageEncoder, TextEncoder


class TextEncoderModel:
    """An encoder of texts and one of images, whose embeddings of a pair have a large product.

    What distinguishes images is what the text encoder learns: that red is not blue, although the
    words occur in the same sentences.

    Args:
      config: The run's settings: `image_size`, `text_features`.
      compute_dtype: What the image encoder computes in during training.
    """

    streams = ("image", "text")
    usage = "Evaluate:  python -m discogan_tf.evaluate --workdir={workdir}"
    translations = ()
    size_multiple = None
    separate_losses = frozenset()
    noise_size = 0

    def __init__(self, config: Config, compute_dtype: tf.DType = tf.float32):
        self._compute_dtype = compute_dtype
        self.text = TextEncoder("text_encoder", config.text_features)
        self.images = ImageEncoder("image_encoder", config.image_size, config.text_features)
        self.generators = {"text": self.text, "image": self.images}
        self.discriminators, self.state = {}, {}
        self.text(tf.zeros((1, text.LENGTH), tf.int32))
        self.images(tf.zeros((1, config.image_size, config.image_size, 3)))

    def forward(self, batch: dict[str, tf.Tensor], step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Embeddings of both, float32 [batch, features]: `image_embedding`, `text_embedding`."""
        images = tf.cast(batch["image"], self._compute_dtype)
        return {
            "image_embedding": self.images(images, training=True),
            "text_embedding": self.text(batch["text"], training=True),
            "class": batch["class"],
        }

    def generator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The structured joint embedding loss."""
        loss = losses.structured_joint_embedding(
            tensors["image_embedding"], tensors["text_embedding"], tensors["class"]
        )
        return {"matching": loss}

    def discriminator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """None: nothing is generated."""
        return {}

    def loss_weights(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """The only loss has weight 1."""
        return {"matching": tf.constant(1.0)}

    def generator_inputs(self, batch: dict[str, tf.Tensor]) -> dict[str, dict[str, tf.Tensor]]:
        """Each encoder takes its stream."""
        inputs = {"text": "characters", "image": "images"}
        return {name: {inputs[name]: batch[name]} for name in inputs if name in batch}

    def sample(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Real images, and for the caption of each the image among them that suits it best."""
        scores = tf.matmul(self.text(batch["text"]), self.images(batch["image"]), transpose_b=True)
        best = tf.gather(batch["image"], tf.argmax(scores, axis=1))
        return {"real_image": batch["image"], "retrieved_image": best}

    def signatures(self, generators: dict | None = None) -> dict[str, dict[str, Signature]]:
        """None: it is exported within the models that use it."""
        return {}
