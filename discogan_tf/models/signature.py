"""What a model offers after training, in the form that translation and export use."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Signature(NamedTuple):
    """A function of pictures.

    Attributes:
      function: Images, float32 [batch, size, size, 3] in [0, 1], to named images of the same form.
      images: Specification of its input, named as clients name it.
    """

    function: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    images: tf.TensorSpec
