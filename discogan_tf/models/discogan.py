"""Kim et al. 2017 (arXiv 1703.05192): GAN, GAN with reconstruction, DiscoGAN."""

import tensorflow as tf

from discogan_tf import losses
from discogan_tf.config import Config
from discogan_tf.models.contract import IMAGES, SERVING_DEFAULT, TRANSLATED, Signature, Translation
from discogan_tf.models.moments import RunningMoments
from discogan_tf.models.replay import ReplayBuffer
from discogan_tf.networks import ops
from discogan_tf.networks.architectures import ARCHITECTURES, Architecture

_A_TO_B = Translation("a_to_b", source="a", target="b", inverse="b_to_a")
_B_TO_A = Translation("b_to_a", source="b", target="a", inverse="a_to_b")
# Standard deviations of a domain's mean colors below which a channel does not count, and above
# which it counts fully. Photos of shoes and bags have 0.08 to 0.2, drawings of them at most 0.03.
_NO_COLOR, _COLOR = 0.04, 0.06


class DiscoGAN:
    """Two generators that must undo each other, and a discriminator for each domain.

    G_ab translates an image of domain a to b, and G_ba the other way. D_a and D_b discriminate
    between real images of their domain and translations. Cycle consistency, G_ba(G_ab(x)) = x and
    G_ab(G_ba(y)) = y, keeps a translation from mapping many images to one (mode collapse): it makes
    the two a one-to-one relation between the domains (paper, section 2.4).

    Args:
      config: The run's settings: `image_size`, `architecture` and its sizes, losses and weights.
      compute_dtype: What the networks compute in during training.
      architecture: The networks, if they are not those of `config`.
    """

    streams = ("a", "b")
    usage = (
        "Translate: python -m discogan_tf.translate --workdir={workdir} --direction={direction} "
        "--images=DIR --output_dir=DIR"
    )
    noise_size = 0
    translations = (_A_TO_B, _B_TO_A)
    # Names of the translations that a discriminator classifies, and of those that their inverse
    # must undo.
    adversarial: tuple[str, ...] = ("a_to_b", "b_to_a")
    cycles: tuple[str, ...] = ("a_to_b", "b_to_a")

    def __init__(
        self,
        config: Config,
        compute_dtype: tf.DType = tf.float32,
        architecture: Architecture | None = None,
    ):
        networks = architecture or ARCHITECTURES[config.architecture](config)
        self._config, self._compute_dtype = config, compute_dtype
        self._input_shape, self.size_multiple = networks.input_shape, networks.size_multiple
        self._adversarial_loss = losses.ADVERSARIAL[config.adversarial_loss]
        self._reconstruction_loss = losses.RECONSTRUCTION[config.reconstruction_loss]
        self._has_shape = config.shape_weight > 0
        self._has_identity = config.identity_weight > 0
        self._matches_features = config.feature_matching_weight > 0
        self._by_name = {translation.name: translation for translation in self.translations}
        # A stride: if it divides the replicas' shares of a batch, they take the same images as one
        # replica would.
        images = config.identity_images or config.batch_size
        self._identity_stride = max(1, config.batch_size // images)
        # Each generator has two other passes: the third one's gradients are added to their sum.
        self.separate_losses = frozenset(
            f"identity_{target}" for _, _, target, _ in self.translations if self._has_identity
        )
        self._color_moments = (
            {domain: RunningMoments(3) for domain in ("a", "b")} if config.color_weight > 0 else {}
        )
        self.generators = {name: networks.generator(f"generator_{name}") for name in self._by_name}
        domains = sorted(self._by_name[name].target for name in self.adversarial)
        self.discriminators = {
            domain: networks.discriminator(f"discriminator_{domain}") for domain in domains
        }
        for network in (*self.generators.values(), *self.discriminators.values()):
            network(tf.zeros((1, *self._input_shape)))  # Creates the variables.
        self._replay = {}
        if config.replay_images:
            self._replay = {
                domain: ReplayBuffer(config.replay_images, self._input_shape, config.seed, n)
                for n, domain in enumerate(self.discriminators)
            }
        self.state = {
            f"{kind}_{domain}_{name}": variable
            for kind, found in (("color", self._color_moments), ("replay", self._replay))
            for domain, part in found.items()
            for name, variable in part.variables.items()
        }

    def forward(self, batch: dict[str, tf.Tensor], step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translations, reconstructions and discriminator outputs, in training mode.

        Each image passes its discriminator once, and the losses of both sides use that pass.
        Differs from the chapter, whose generator losses use the discriminators after their update.

        Args:
          batch: "a", "b" -> real images, float32 [batch, size, size, 3] in [0, 1].
          step: Number of the step, scalar int64, which decides what replay buffers return.

        Returns:
          Only what the model has:
            real_a, fake_b, reconstructed_a, identity_a, and the same from b: images, as `batch`.
              `identity_a` is the translation to a, applied to `real_a`: to
              `config.identity_images` of them.
            source_color_b, fake_color_b: standardized colors of `real_a` and `fake_b`, float32
              [batch, 3]. color_weights_b: of their channels, float32 [3]. The same of a.
            shape_b: `fake_b` as the shape loss takes it, and shape_a.
            replayed_a, replayed_b: what replay buffers return for `fake_a` and `fake_b`.
            fake_a_logits, real_a_logits, replayed_a_logits, and the same of b: float32.
            fake_a_features, ...: as the discriminators return them.
        """
        tensors, fakes, passed = {"real_a": batch["a"], "real_b": batch["b"]}, {}, set()

        def translate(name, images):
            # The first pass of each generator updates its statistics. It is over real inputs, or
            # over translations if the generator only reconstructs.
            update = name not in passed
            passed.add(name)
            images = tf.cast(images, self._compute_dtype)
            return self.generators[name](images, training=True, update_statistics=update)

        for name in dict.fromkeys((*self.adversarial, *self.cycles)):
            translation = self._by_name[name]
            fake = translate(name, batch[translation.source])
            # Discriminator and reconstruction are one branch, transport costs are another.
            tensors[f"fake_{translation.target}"] = ops.branch(fake)
            if name in self.adversarial:
                fakes[translation.target] = ops.branch(fake)
        for name in self.cycles:
            translation = self._by_name[name]
            tensors[f"reconstructed_{translation.source}"] = translate(
                translation.inverse, tensors[f"fake_{translation.target}"]
            )
        if self._has_identity:
            for name, _, target, _ in self.translations:
                some = batch[target][:: self._identity_stride]
                tensors[f"identity_{target}"] = translate(name, some)
        if self._color_moments:
            tensors |= self._colors(batch, fakes)
        if self._has_shape:
            tensors |= {f"shape_{domain}": fake for domain, fake in fakes.items()}
        for domain, replay in self._replay.items():
            tensors[f"replayed_{domain}"] = replay.exchange(tensors[f"fake_{domain}"], step)
        kinds = ("fake", "real", *(("replayed",) if self._replay else ()))
        for domain in self.discriminators:
            names = [f"{kind}_{domain}" for kind in kinds]
            found = self._discriminate(domain, [tensors[name] for name in names])
            for name, (logits, features) in zip(names, found, strict=True):
                tensors[f"{name}_logits"], tensors[f"{name}_features"] = logits, features
        return tensors

    def generator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adversarial and reconstruction losses (paper, equations 5 and 7), unweighted.

        Identity losses, as in CycleGAN, color and shape losses, and feature matching losses, as in
        the authors' code, if their weight is not 0.
        """
        result = {}
        for name in self.adversarial:
            domain = self._by_name[name].target
            fake_logits = tensors[f"fake_{domain}_logits"]
            result[f"adversarial_{name}"] = self._adversarial_loss.generator(fake_logits)
            if self._matches_features:
                result[f"feature_matching_{name}"] = losses.feature_matching(
                    tensors[f"real_{domain}_features"], tensors[f"fake_{domain}_features"]
                )
        for name in self.cycles:
            domain = self._by_name[name].source
            result[f"reconstruction_{domain}"] = self._reconstruction_loss(
                tensors[f"real_{domain}"], tensors[f"reconstructed_{domain}"]
            )
        if self._has_identity:
            for _, _, domain, _ in self.translations:
                mapped = tensors[f"identity_{domain}"]
                real = tensors[f"real_{domain}"][:: self._identity_stride]
                result[f"identity_{domain}"] = losses.identity(real, mapped)
        if self._color_moments:
            for name in self.adversarial:
                domain = self._by_name[name].target
                result[f"color_{domain}"] = losses.color(
                    tensors[f"source_color_{domain}"],
                    tensors[f"fake_color_{domain}"],
                    tensors[f"color_weights_{domain}"],
                )
        if self._has_shape:
            for name in self.adversarial:
                _, source, target, _ = self._by_name[name]
                result[f"shape_{target}"] = losses.shape(
                    tensors[f"real_{source}"], tensors[f"shape_{target}"]
                )
        return result

    def discriminator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Discriminator losses on real images and on translations (paper, equations 6 and 8)."""
        result, fakes = {}, "replayed" if self._replay else "fake"
        for domain in self.discriminators:
            result[f"discriminator_{domain}_real"] = self._adversarial_loss.real(
                tensors[f"real_{domain}_logits"]
            )
            result[f"discriminator_{domain}_fake"] = self._adversarial_loss.fake(
                tensors[f"{fakes}_{domain}_logits"]
            )
        return result

    def loss_weights(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Weight of every loss in its side's total.

        The chapter's totals are plain sums. In the authors' code the generators' total is
        (1 - r) * (0.1 * adversarial + 0.9 * feature matching) + r * reconstruction, with r small at
        first.

        Args:
          step: Number of the step, from 1 on; scalar int64.

        Returns:
          Name of each loss -> float32 scalar.
        """
        config = self._config
        adversarial, features, identity, color, shape, reconstruction = (
            tf.constant(weight)
            for weight in (
                config.adversarial_weight,
                config.feature_matching_weight,
                config.identity_weight,
                config.color_weight,
                config.shape_weight,
                config.reconstruction_weight,
            )
        )
        if config.reconstruction_rate:
            early = tf.cast(step, tf.int64) <= config.early_steps
            rate = tf.where(early, config.early_reconstruction_rate, config.reconstruction_rate)
            adversarial, features, identity, color, shape = (
                weight * (1 - rate) for weight in (adversarial, features, identity, color, shape)
            )
            reconstruction = reconstruction * rate
        weights = {}
        for name in self.adversarial:
            weights |= {f"adversarial_{name}": adversarial, f"feature_matching_{name}": features}
        for _, _, domain, _ in self.translations:
            weights |= {
                f"identity_{domain}": identity,
                f"color_{domain}": color,
                f"shape_{domain}": shape,
            }
        for name in self.cycles:
            weights[f"reconstruction_{self._by_name[name].source}"] = reconstruction
        for domain in self.discriminators:
            for kind in ("real", "fake"):
                weights[f"discriminator_{domain}_{kind}"] = tf.constant(config.discriminator_weight)
        return weights

    def generator_inputs(self, batch: dict[str, tf.Tensor]) -> dict[str, dict[str, tf.Tensor]]:
        """Each generator takes the real images of its source domain, if `batch` has them."""
        return {
            name: {IMAGES: batch[source]}
            for name, source, _, _ in self.translations
            if source in batch
        }

    def sample(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What a sample grid shows of `batch`: outside training mode, in float32."""
        shown = {}
        for name, source, target, inverse in self.translations:
            shown[f"real_{source}"] = batch[source]
            fake = shown[f"fake_{target}"] = self.generators[name](batch[source])
            if inverse:
                shown[f"reconstructed_{source}"] = self.generators[inverse](fake)
            if inverse and self._has_identity:
                shown[f"identity_{source}"] = self.generators[inverse](batch[source])
        return shown

    def signatures(self, generators: dict | None = None) -> dict[str, dict[str, Signature]]:
        """Of each translation: `serving_default`, and `cycle` if there is an inverse.

        Args:
          generators: What to run instead of the model's own, such as folded copies of them.
        """
        generators = generators or self.generators
        inputs = {IMAGES: tf.TensorSpec((None, *self._input_shape), tf.float32, name=IMAGES)}

        def signatures_of(generator, inverse):
            def translate(images):
                return {TRANSLATED: generator(images)}

            def cycle(images):
                translated = generator(images)
                return {TRANSLATED: translated, "reconstructed": inverse(translated)}

            found = {SERVING_DEFAULT: Signature(translate, inputs)}
            return found | {"cycle": Signature(cycle, inputs)} if inverse else found

        return {
            name: signatures_of(generators[name], generators.get(inverse))
            for name, _, _, inverse in self.translations
        }

    def _colors(
        self, batch: dict[str, tf.Tensor], fakes: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Standardized colors of sources and translations, float32 [batch, 3] each."""
        of_real = {}
        for domain, moments in self._color_moments.items():
            of_real[domain] = losses.foreground_color(batch[domain])
            moments.update(of_real[domain])
        found = {}
        for name in self.adversarial:
            _, source, target, _ = self._by_name[name]
            moments = [self._color_moments[domain] for domain in (source, target)]
            of_fake = losses.foreground_color(fakes[target], fixed_foreground=True)
            # Drawings and gray photos have no colors that could carry over.
            least = tf.minimum(*(domain.deviation for domain in moments))
            found |= {
                f"source_color_{target}": moments[0].standardize(of_real[source]),
                f"fake_color_{target}": moments[1].standardize(of_fake),
                f"color_weights_{target}": tf.clip_by_value(
                    (least - _NO_COLOR) / (_COLOR - _NO_COLOR), 0.0, 1.0
                ),
            }
        return found

    def _discriminate(self, domain: str, batches: list[tf.Tensor]) -> list[tuple]:
        """Logits and features of each of the batches."""
        discriminator = self.discriminators[domain]
        batches = [tf.cast(images, self._compute_dtype) for images in batches]
        if self._config.discriminator_normalization == "batch":
            # Each in a pass of its own, normalized among its kind, as in the chapter.
            return [discriminator(images, training=True) for images in batches]
        logits, features = discriminator(tf.concat(batches, 0), training=True)
        parts = (tf.split(x, len(batches)) for x in (logits, *features))
        return [(logits, features) for logits, *features in zip(*parts, strict=True)]


class ReconGAN(DiscoGAN):
    """GAN with a reconstruction loss (paper, figure 2b): cycle consistency from a to b to a.

    Several images of a may still become one of b, distinguished by a hidden pattern that only the
    second generator can read (steganography); and modes of b that are never generated are missed.
    """

    adversarial = ("a_to_b",)
    cycles = ("a_to_b",)


class GAN(DiscoGAN):
    """A plain GAN between domains (paper, figure 2a): nothing ties a translation to its source."""

    translations = (_A_TO_B._replace(inverse=None),)
    adversarial = ("a_to_b",)
    cycles = ()
