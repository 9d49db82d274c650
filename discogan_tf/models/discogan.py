"""DiscoGAN (Kim et al. 2017, arXiv 1703.05192), as the chapter builds it."""

import tensorflow as tf

from discogan_tf import losses
from discogan_tf.models.signature import Signature
from discogan_tf.networks.architectures import ARCHITECTURES, Architecture

_BACK = {"a_to_b": "b_to_a", "b_to_a": "a_to_b"}


class DiscoGAN:
    """Two translators that must undo each other, and a judge of each domain.

    G_ab draws for a picture of domain a its match in b, and G_ba the other way. D_a and D_b tell
    real pictures of their domain from drawn ones. That G_ba(G_ab(x)) must give x back, and
    G_ab(G_ba(y)) must give y, keeps the translations from sending many pictures to one: it is what
    makes them a relation between the domains (paper, section 2.4).

    The paper's other two models are this one with less: see `gan.py` and `recon_gan.py`.

    Args:
      config: The run's settings; of them it reads `image_size`, `architecture`, `reconstruction_loss` and
        whether `feature_matching_weight` is anything.
      compute_dtype: What the networks compute in during training.
      architecture: The networks, and the shape of what they translate, if they are not `config`'s.
    """

    # Translations that a discriminator judges, and domains whose pictures must come back.
    JUDGED = ("a_to_b", "b_to_a")
    CYCLES = ("a", "b")

    def __init__(
        self,
        config,
        compute_dtype: tf.DType = tf.float32,
        architecture: tuple[Architecture, tuple[int, ...]] | None = None,
    ):
        pictures = (ARCHITECTURES[config.architecture], (config.image_size, config.image_size, 3))
        networks, self._shape = architecture or pictures
        self._reconstruction = losses.RECONSTRUCTION[config.reconstruction_loss]
        self._matches_features = config.feature_matching_weight > 0
        self._compute_dtype = compute_dtype
        directions = _BACK if self.CYCLES else self.JUDGED
        self.generators = {
            direction: networks.generator(f"generator_{direction}") for direction in directions
        }
        domains = sorted(direction[-1] for direction in self.JUDGED)
        self.discriminators = {
            domain: networks.discriminator(f"discriminator_{domain}") for domain in domains
        }
        for network in (*self.generators.values(), *self.discriminators.values()):
            network(tf.zeros((1, *self._shape)))  # Creates the variables.

    def forward(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Translations, reconstructions and the judgement of the fakes, in training mode.

        Each picture passes its discriminator once, and both sides' losses use that pass.
        Differs from the chapter, whose generators see the discriminators after their update.

        Args:
          batch: {"a", "b"}: real pictures, float32 [batch, size, size, 3] in [0, 1].

        Returns:
          Images `real_a`, `fake_b`, `reconstructed_a` and the same from b, as `batch`; `fake_a_logits`,
          `real_a_logits` and the same of b, float32 [batch]; and their features, as discriminators give
          them, `fake_a_features`, ... What the model lacks is not there.
        """
        tensors = {"real_a": batch["a"], "real_b": batch["b"]}
        for direction in dict.fromkeys((*self.JUDGED, *(_from(domain) for domain in self.CYCLES))):
            tensors[f"fake_{direction[-1]}"] = self._translate(direction, batch[direction[0]])
        for domain in self.CYCLES:
            there = _from(domain)
            tensors[f"reconstructed_{domain}"] = self._translate(_BACK[there], tensors[f"fake_{there[-1]}"])
        for domain in self.discriminators:
            for kind in ("fake", "real"):
                name = f"{kind}_{domain}"
                tensors[f"{name}_logits"], tensors[f"{name}_features"] = self._judge(domain, tensors[name])
        return tensors

    def generator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adversarial and reconstruction losses (paper, equations 5 and 7), unweighted; and, if they are
        asked for, feature matching losses, as in the authors' code.
        """
        result = {}
        for direction in self.JUDGED:
            domain = direction[-1]
            result[f"adversarial_{direction}"] = losses.adversarial(tensors[f"fake_{domain}_logits"])
            if self._matches_features:
                result[f"feature_matching_{direction}"] = losses.feature_matching(
                    tensors[f"real_{domain}_features"], tensors[f"fake_{domain}_features"]
                )
        for domain in self.CYCLES:
            result[f"reconstruction_{domain}"] = self._reconstruction(
                tensors[f"real_{domain}"], tensors[f"reconstructed_{domain}"]
            )
        return result

    def discriminator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Cross-entropy on real and on drawn pictures (paper, equations 6 and 8)."""
        result = {}
        for domain in self.discriminators:
            result[f"discriminator_{domain}_real"] = losses.discriminator_real(
                tensors[f"real_{domain}_logits"]
            )
            result[f"discriminator_{domain}_fake"] = losses.discriminator_fake(
                tensors[f"fake_{domain}_logits"]
            )
        return result

    def sample(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What a sample sheet shows of `batch`: outside training mode, in float32."""
        shown = {}
        for direction, generator in self.generators.items():
            source, target = direction[0], direction[-1]
            shown[f"real_{source}"] = batch[source]
            fake = shown[f"fake_{target}"] = generator(batch[source])
            if _BACK[direction] in self.generators:
                shown[f"reconstructed_{source}"] = self.generators[_BACK[direction]](fake)
        return shown

    def signatures(self, generators: dict | None = None) -> dict[str, dict[str, Signature]]:
        """Of each direction: `serving_default`, the translation, and, if there is a way back, `cycle`.

        Args:
          generators: What to run instead of the model's own, such as folded copies of them.
        """
        generators = generators or self.generators
        images = tf.TensorSpec((None, *self._shape), tf.float32, name="images")

        def of(there, back):
            def translate(images):
                return {"translated": there(images)}

            def cycle(images):
                translated = there(images)
                return {"translated": translated, "reconstructed": back(translated)}

            found = {"serving_default": Signature(translate, images)}
            return found | {"cycle": Signature(cycle, images)} if back else found

        return {name: of(network, generators.get(_BACK[name])) for name, network in generators.items()}

    def _translate(self, direction: str, images: tf.Tensor) -> tf.Tensor:
        return self.generators[direction](tf.cast(images, self._compute_dtype), training=True)

    def _judge(self, domain: str, images: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return self.discriminators[domain](tf.cast(images, self._compute_dtype), training=True)


def _from(domain: str) -> str:
    """The direction that starts from a domain."""
    return next(direction for direction in _BACK if direction[0] == domain)
