"""The networks that a model is made of."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from discogan_tf.networks.discriminators import Discriminator
from discogan_tf.networks.generators import Generator
from discogan_tf.networks.paper import PaperDiscriminator, PaperGenerator
from discogan_tf.networks.points import PointDiscriminator, PointGenerator


class Architecture(NamedTuple):
    """What makes a generator and a discriminator, each from its name."""

    generator: Callable[[str], keras.Model]
    discriminator: Callable[[str], keras.Model]


# Of pictures, by the value of --architecture.
ARCHITECTURES = {
    "chapter": Architecture(Generator, Discriminator),
    "paper": Architecture(PaperGenerator, PaperDiscriminator),
}
POINTS = Architecture(PointGenerator, PointDiscriminator)
