"""What models are made of beside networks: translations and signatures."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# Name of the signature that every exported generator has, as TensorFlow Serving expects it.
SERVING_DEFAULT = "serving_default"
# Name of its output, and of its input if it takes images.
TRANSLATED, IMAGES = "translated", "images"
# Name of the signature from sentences to images, of its inputs, and of what it needs without text.
FROM_TEXT, TEXT, SEED = "from_text", "text", "seed"
CHARACTERS, NOISE = "characters", "noise"


class Translation(NamedTuple):
    """What one generator does.

    Attributes:
      name: Of the translation and of its generator: "a_to_b".
      source: The stream of a batch that it translates; None for a generator that starts from noise.
      target: The stream whose images its output must look like.
      inverse: Name of the translation that must undo it; None if there is none.
    """

    name: str
    source: str | None
    target: str
    inverse: str | None = None


class Signature(NamedTuple):
    """A function of a trained model, for use after training.

    Attributes:
      function: From tensors, in the order of `inputs`, to named tensors.
      inputs: Specification of each input, by the name that clients use.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: dict[str, tf.TensorSpec]


def display_name(translation: Translation, names: dict[str, str]) -> str:
    """Name of a translation as users see it: "handbags2shoes".

    Args:
      translation: The translation.
      names: Display name of each stream, as `Config.display_names` has them.
    """
    target = names.get(translation.target, translation.target)
    if translation.source is None:
        return target
    return f"{names.get(translation.source, translation.source)}2{target}"


def by_display_name(model, names: dict[str, str]) -> dict[str, Translation]:
    """Display name -> translation, for all translations of a model."""
    return {display_name(translation, names): translation for translation in model.translations}
