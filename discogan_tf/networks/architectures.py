"""The architectures: which networks a model can have. A new one is a file here and an entry."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras

from discogan_tf.config import Config
from discogan_tf.networks.chapter import Discriminator, Generator
from discogan_tf.networks.paper import PaperDiscriminator, PaperGenerator
from discogan_tf.networks.points import PointDiscriminator, PointGenerator
from discogan_tf.networks.resnet import PatchDiscriminator, ResidualGenerator


class Architecture(NamedTuple):
    """Constructors of the networks of a run.

    Attributes:
      generator: Creates an unbuilt generator from a name.
      discriminator: Creates an unbuilt discriminator from a name. It returns logits of any shape
        and a list of features.
      input_shape: Shape of one input example.
      size_multiple: Generators translate images of any sides that are multiples of this number as
        well as they translate those of `input_shape`; None if they are for that size only.
    """

    generator: Callable[[str], keras.Model]
    discriminator: Callable[[str], keras.Model]
    input_shape: tuple[int, ...]
    size_multiple: int | None = None


def _image_architecture(generator, discriminator, config: Config) -> Architecture:
    sizes = {"conv_implementation": config.conv_implementation}
    if config.base_filters:
        sizes["base_filters"] = config.base_filters
    return Architecture(
        functools.partial(generator, **sizes, normalization=config.normalization),
        functools.partial(discriminator, **sizes, normalization=config.discriminator_normalization),
        (config.image_size, config.image_size, 3),
    )


def _residual_architecture(config: Config) -> Architecture:
    sizes = {"base_filters": config.base_filters} if config.base_filters else {}
    return Architecture(
        functools.partial(
            ResidualGenerator,
            **sizes,
            blocks=config.residual_blocks,
            normalization=config.normalization,
        ),
        functools.partial(
            PatchDiscriminator,
            **sizes,
            layers=config.patch_layers,
            normalization=config.discriminator_normalization,
        ),
        (config.image_size, config.image_size, 3),
        size_multiple=4,
    )


# By the value of --architecture: functions from the run's settings to an `Architecture`.
ARCHITECTURES: dict[str, Callable[[Config], Architecture]] = {
    "chapter": functools.partial(_image_architecture, Generator, Discriminator),
    "paper": functools.partial(_image_architecture, PaperGenerator, PaperDiscriminator),
    "resnet": _residual_architecture,
}
# For the toy experiment, which has no images.
POINTS = Architecture(PointGenerator, PointDiscriminator, (2,))
