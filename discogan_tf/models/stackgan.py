"""Zhang et al. 2017 (arXiv 1612.03242): StackGAN, images from texts in two stages."""

import tensorflow as tf

from discogan_tf import losses
from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.models.contract import (
    CHARACTERS,
    FROM_TEXT,
    NOISE,
    SEED,
    SERVING_DEFAULT,
    TEXT,
    TRANSLATED,
    Signature,
    Translation,
)
from discogan_tf.models.text_encoder import TextEncoderModel
from discogan_tf.networks.stackgan import StageIGenerator, StageIIGenerator, TextDiscriminator
from discogan_tf.text import LENGTH, encode_bytes

# Channels of the paper's generators. Its discriminators have half as many.
_BASE_FILTERS = 128
# Seed of the noise of everything that is shown and measured.
_SHOWN_SEED = 1


class StackGAN:
    """A generator of images from texts, and a discriminator of images with texts.

    Stage I generates small images; Stage II, if `config.stage_1_size` is set, refines them. Stages
    are trained one after the other, and a stage is a generator like any other: Stage II
    holds Stage I, and both hold the text encoder, which do not learn.

    The discriminator also gets real images with texts of other images, of other classes, and must
    reject them: it is matching-aware (Reed et al. 2016, arXiv 1605.05396, section 4.2).

    Args:
      config: The run's settings: `image_size`, `stage_1_size`, sizes, losses and weights.
      compute_dtype: What the networks compute in during training.
    """

    streams = ("image", "text")
    usage = 'Generate:  python -m discogan_tf.generate --workdir={workdir} --text="SENTENCE"'
    translations = (Translation("generate", source=None, target="image"),)
    size_multiple = None
    separate_losses = frozenset()

    def __init__(self, config: Config, compute_dtype: tf.DType = tf.float32):
        if config.normalization == "instance":
            raise ConfigError(
                "--normalization=instance needs feature maps, and StackGAN's generators start from "
                "vectors: give batch_renorm or batch"
            )
        self._config, self._compute_dtype = config, compute_dtype
        self._loss = losses.ADVERSARIAL[config.adversarial_loss]
        filters = config.base_filters or _BASE_FILTERS
        sizes = {
            "size": config.image_size,
            "base_filters": filters,
            "text_features": config.text_features,
            "condition_size": config.condition_size,
            "noise_size": config.noise_size,
            "normalization": config.normalization,
            "augment": config.kl_weight > 0,
        }
        if config.stage_1_size:
            sizes |= {"stage_1_size": config.stage_1_size, "blocks": config.residual_blocks}
            generator = StageIIGenerator("generator", **sizes)
        else:
            generator = StageIGenerator("generator", **sizes)
        discriminator = TextDiscriminator(
            "discriminator", config.image_size, filters // 2, config.conv_implementation,
            config.discriminator_normalization,
        )  # fmt: skip
        self.generators, self.discriminators = {"generate": generator}, {"image": discriminator}
        self.noise_size, self.state = generator.num_noise, {}
        generator(tf.zeros((1, LENGTH), tf.int32), tf.zeros((1, self.noise_size)))
        discriminator(
            tf.zeros((1, config.image_size, config.image_size, 3)),
            tf.zeros((1, config.text_features)),
        )

    def initialize(self, trained) -> None:
        """Takes the part that does not learn from a trained model.

        Args:
          trained: A `TextEncoderModel` for Stage I, a `StackGAN` of Stage I for Stage II.

        Raises:
          ConfigError: if it is another model, has other sizes, or has conditioning augmentation
            where this one has not.
        """
        generator = self.generators["generate"]
        if not self._config.stage_1_size:
            if not isinstance(trained, TextEncoderModel):
                raise ConfigError("--init_from: Stage I needs a run with --model=text_encoder")
            _copy(trained.generators["text"], generator.encoder)
            return
        source = trained.generators.get("generate")
        if not isinstance(source, StageIGenerator):
            raise ConfigError(
                "--init_from: Stage II needs a run with --model=stackgan --stage_1_size=0"
            )
        if source.augment != generator.stage_1.augment:
            raise ConfigError(
                "--init_from: Stage I was trained "
                + ("with --kl_weight above 0" if source.augment else "with --kl_weight=0")
                + "; Stage II needs the same, or its Stage I would get other noise"
            )
        _copy(source, generator.stage_1)

    def forward(self, batch: dict[str, tf.Tensor], step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Generated images and the discriminator's logits, in training mode.

        Args:
          batch: `image`, float32 [batch, size, size, 3] in [0, 1]; `text`, a caption of each, and
            `wrong_text`, one of an image of another class, int32 [batch, 99]; `noise`, float32
            [batch, noise_size].
          step: Number of the step; not used.

        Returns:
          fake: Images generated from `text`. mean, log_deviation: Of the conditioning variable.
          real_logits: Of real images with their text. wrong_logits: Of the same with `wrong_text`.
          fake_logits: Of generated images with their text.
        """
        generator, discriminator = self.generators["generate"], self.discriminators["image"]
        noise = tf.cast(batch["noise"], self._compute_dtype)
        both = generator.encoder(tf.concat([batch["text"], batch["wrong_text"]], 0))
        text, wrong = tf.split(tf.stop_gradient(both), 2)
        made = generator(text, noise, training=True, update_statistics=True, details=True)
        if self._config.discriminator_normalization == "batch":
            # Each kind in a pass of its own, normalized among its kind.
            real, fake = (
                discriminator.features(self._cast(images), training=True)
                for images in (batch["image"], made.images)
            )
            logits = [
                discriminator.classify(features, embedding, training=True)
                for features, embedding in ((real, text), (real, wrong), (fake, text))
            ]
        else:
            # Images pass the convolutions once; a wrong pair costs only what joins it.
            both = self._cast(tf.concat([batch["image"], made.images], 0))
            real, fake = tf.split(discriminator.features(both, training=True), 2)
            logits = tf.split(
                discriminator.classify(
                    tf.concat([real, real, fake], 0),
                    tf.concat([text, wrong, text], 0),
                    training=True,
                ),
                3,
            )
        names = ("real_logits", "wrong_logits", "fake_logits")
        return dict(zip(names, logits, strict=True)) | {
            "fake": made.images,
            "mean": made.mean,
            "log_deviation": made.log_deviation,
        }

    def generator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adversarial loss, and the divergence of the conditioning variable (equations 2, 4)."""
        return {
            "adversarial_generate": self._loss.generator(tensors["fake_logits"]),
            "kl": losses.kl_from_standard_normal(tensors["mean"], tensors["log_deviation"]),
        }

    def discriminator_losses(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Loss on real images with their text, with a wrong text, and on generated images."""
        return {
            "discriminator_image_real": self._loss.real(tensors["real_logits"]),
            "discriminator_image_wrong": self._loss.fake(tensors["wrong_logits"]),
            "discriminator_image_fake": self._loss.fake(tensors["fake_logits"]),
        }

    def loss_weights(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Weight of every loss. What the discriminator must reject weighs as much as real pairs.

        Args:
          step: Number of the step; not used.
        """
        config = self._config
        return {
            "adversarial_generate": tf.constant(config.adversarial_weight),
            "kl": tf.constant(config.kl_weight),
            "discriminator_image_real": tf.constant(config.discriminator_weight),
            "discriminator_image_wrong": tf.constant(config.discriminator_weight / 2),
            "discriminator_image_fake": tf.constant(config.discriminator_weight / 2),
        }

    def generator_inputs(self, batch: dict[str, tf.Tensor]) -> dict[str, dict[str, tf.Tensor]]:
        """Captions, if `batch` has them, and noise: its own, or the same every time."""
        if "text" not in batch:
            return {}
        noise = batch.get("noise")
        if noise is None:
            shape = (len(batch["text"]), self.noise_size)
            noise = tf.random.stateless_normal(shape, [_SHOWN_SEED, _SHOWN_SEED])
        return {"generate": {CHARACTERS: batch["text"], NOISE: noise}}

    def sample(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Real images, and images from their captions: of Stage I, too, if there are two stages."""
        characters, noise = self.generator_inputs(batch)["generate"].values()
        return {"real_image": batch["image"]} | self.stages(characters, noise)

    def stages(self, texts: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images from texts, outside training mode.

        Args:
          texts, noise: As for the generators.

        Returns:
          `fake_image`, float32 [batch, size, size, 3]; in Stage II, before it, `stage 1_image`, the
          images that it refines, enlarged to that size.
        """
        generator = self.generators["generate"]
        shown = {}
        if self._config.stage_1_size:
            sketch = generator.stage_1(texts, noise[:, : generator.stage_1.num_noise])
            size = (self._config.image_size,) * 2
            shown["stage 1_image"] = tf.image.resize(sketch, size, "nearest")
        return shown | {"fake_image": generator(texts, noise)}

    def signatures(self, generators: dict | None = None) -> dict[str, dict[str, Signature]]:
        """`serving_default`, from characters and noise, and `from_text`, from text and a seed.

        Args:
          generators: What to run instead of the model's own, such as a folded copy.
        """
        generator = (generators or self.generators)["generate"]
        noise_size = self.noise_size

        def generate(characters, noise):
            return {TRANSLATED: generator(characters, noise)}

        def from_text(text, seed):
            return {TRANSLATED: generator(encode_bytes(text), noise_of(seed, noise_size))}

        return {
            "generate": {
                SERVING_DEFAULT: Signature(
                    generate,
                    {
                        CHARACTERS: tf.TensorSpec((None, LENGTH), tf.int32, name=CHARACTERS),
                        NOISE: tf.TensorSpec((None, noise_size), tf.float32, name=NOISE),
                    },
                ),
                FROM_TEXT: Signature(
                    from_text,
                    {
                        TEXT: tf.TensorSpec((None,), tf.string, name=TEXT),
                        SEED: tf.TensorSpec((None,), tf.int64, name=SEED),
                    },
                ),
            }
        }

    def _cast(self, images: tf.Tensor) -> tf.Tensor:
        return tf.cast(images, self._compute_dtype)


def noise_of(seeds: tf.Tensor, size: int) -> tf.Tensor:
    """Standard normal noise of each seed, int64 [n]: float32 [n, size], whatever the others are."""

    def one(seed):
        return tf.random.stateless_normal((size,), tf.stack([seed, tf.zeros_like(seed)]))

    return tf.map_fn(one, seeds, fn_output_signature=tf.TensorSpec((size,), tf.float32))


def _copy(source, target) -> None:
    """Copies all variables from one network to another of the same kind."""
    pairs = list(zip(source.variables, target.variables, strict=False))
    shapes = [tuple(one.shape) == tuple(other.shape) for one, other in pairs]
    if len(source.variables) != len(target.variables) or not all(shapes):
        raise ConfigError(
            "--init_from: that run has other sizes. Give its --text_features, --base_filters, "
            "--condition_size, --noise_size and --normalization, and its --image_size as "
            "--stage_1_size"
        )
    for one, other in pairs:
        other.assign(one)
