"""DiscoGAN (Kim et al. 2017, arXiv 1703.05192), as the chapter builds it."""

import tensorflow as tf

from discogan_tf import losses
from discogan_tf.models.signature import Signature
from discogan_tf.networks.discriminators import Discriminator
from discogan_tf.networks.generators import Generator


class DiscoGAN:
    """Two translators that must undo each other, and a judge of each domain.

    G_ab draws for a picture of domain a its match in b, and G_ba the other way. D_a and D_b tell
    real pictures of their domain from drawn ones. That G_ba(G_ab(x)) must give x back, and
    G_ab(G_ba(y)) must give y, keeps the translations from sending many pictures to one: it is what
    makes them a relation between the domains (paper, section 2.4).

    Args:
      config: The run's settings; of them it reads `image_size` and `reconstruction_loss`.
      compute_dtype: What the networks compute in during training.
    """

    def __init__(self, config, compute_dtype: tf.DType = tf.float32):
        self._image_shape = (config.image_size, config.image_size, 3)
        self._reconstruction = losses.RECONSTRUCTION[config.reconstruction_loss]
        self._compute_dtype = compute_dtype
        self.generators = {
            "a_to_b": Generator("generator_a_to_b"),
            "b_to_a": Generator("generator_b_to_a"),
        }
        self.discriminators = {
            "a": Discriminator("discriminator_a"),
            "b": Discriminator("discriminator_b"),
        }
        for network in (*self.generators.values(), *self.discriminators.values()):
            network(tf.zeros((1, *self._image_shape)))  # Creates the variables.

    def forward(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Translations, reconstructions and the judgement of the fakes, in training mode.

        Each fake passes its discriminator once, and both sides' losses use that pass.
        Differs from the chapter, whose generators see the discriminators after their update.

        Args:
          batch: {"a", "b"}: real pictures, float32 [batch, size, size, 3] in [0, 1].

        Returns:
          Images `real_a`, `fake_b`, `reconstructed_a` and the same from b, as `batch`; and
          `fake_a_logits`, `fake_b_logits`, float32 [batch].
        """
        tensors = {"real_a": batch["a"], "real_b": batch["b"]}
        tensors["fake_b"] = self._translate("a_to_b", batch["a"])
        tensors["fake_a"] = self._translate("b_to_a", batch["b"])
        tensors["reconstructed_a"] = self._translate("b_to_a", tensors["fake_b"])
        tensors["reconstructed_b"] = self._translate("a_to_b", tensors["fake_a"])
        for domain in ("a", "b"):
            tensors[f"fake_{domain}_logits"] = self._judge(domain, tensors[f"fake_{domain}"])
        return tensors

    def generator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adversarial and reconstruction losses both ways (paper, equations 5 and 7), unweighted."""
        return {
            "adversarial_a_to_b": losses.adversarial(tensors["fake_b_logits"]),
            "adversarial_b_to_a": losses.adversarial(tensors["fake_a_logits"]),
            "reconstruction_a": self._reconstruction(tensors["real_a"], tensors["reconstructed_a"]),
            "reconstruction_b": self._reconstruction(tensors["real_b"], tensors["reconstructed_b"]),
        }

    def discriminator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Cross-entropy on real and on drawn pictures of both domains (paper, equations 6 and 8)."""
        result = {}
        for domain in ("a", "b"):
            real_logits = self._judge(domain, tensors[f"real_{domain}"])
            result[f"discriminator_{domain}_real"] = losses.discriminator_real(real_logits)
            result[f"discriminator_{domain}_fake"] = losses.discriminator_fake(
                tensors[f"fake_{domain}_logits"]
            )
        return result

    def sample(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What a sample sheet shows of `batch`: outside training mode, in float32."""
        fake_b = self.generators["a_to_b"](batch["a"])
        fake_a = self.generators["b_to_a"](batch["b"])
        return {
            "real_a": batch["a"],
            "fake_b": fake_b,
            "reconstructed_a": self.generators["b_to_a"](fake_b),
            "real_b": batch["b"],
            "fake_a": fake_a,
            "reconstructed_b": self.generators["a_to_b"](fake_a),
        }

    def signatures(self, generators: dict | None = None) -> dict[str, dict[str, Signature]]:
        """Of each direction: `serving_default`, the translation, and `cycle`, there and back.

        Args:
          generators: What to run instead of the model's own, such as folded copies of them.
        """
        generators = generators or self.generators
        images = tf.TensorSpec((None, *self._image_shape), tf.float32, name="images")

        def of(there, back):
            def translate(images):
                return {"translated": there(images)}

            def cycle(images):
                translated = there(images)
                return {"translated": translated, "reconstructed": back(translated)}

            return {
                "serving_default": Signature(translate, images),
                "cycle": Signature(cycle, images),
            }

        a_to_b, b_to_a = generators["a_to_b"], generators["b_to_a"]
        return {"a_to_b": of(a_to_b, b_to_a), "b_to_a": of(b_to_a, a_to_b)}

    def _translate(self, direction: str, images: tf.Tensor) -> tf.Tensor:
        return self.generators[direction](tf.cast(images, self._compute_dtype), training=True)

    def _judge(self, domain: str, images: tf.Tensor) -> tf.Tensor:
        return self.discriminators[domain](tf.cast(images, self._compute_dtype), training=True)
