"""The images of a run, loaded."""

from typing import NamedTuple

import numpy as np

from discogan_tf.config import Config
from discogan_tf.data.domains import (
    Domain,
    StoredImages,
    cached,
    load_domain,
    load_training,
    without,
)
from discogan_tf.errors import DataError

# Stream -> images, uint8 [n, size, size, 3] in 0 .. 255, in memory or on disk.
Images = dict[str, np.ndarray | StoredImages]


class RunImages(NamedTuple):
    """What a run trains on and is shown.

    Attributes:
      sources: What batches are made from: `training`, or larger images for random crops.
      training: Training images of the size of a batch.
      validation: Stream -> the domain of its validation images, of that size.
    """

    sources: Images
    training: Images
    validation: dict[str, Domain]


def load_run_images(config: Config) -> RunImages:
    """Loads the images of a run, and says if there are none for validation.

    Raises:
      DataError: if a domain is not prepared at a size that the run needs.
    """
    validation = {}
    loaded = load_training(config, config.image_size)
    for stream, domain in config.domains.items():
        try:
            validation[stream] = load_domain(config.data_dir, domain, "val", config.image_size)
        except DataError as error:
            print(f"Note: {error}. Sample grids and metrics use training images instead.")
            validation[stream] = loaded[stream]

    def in_memory(domains: dict[str, Domain]) -> Images:
        return {key: cached(domain.images, config.cache_bytes) for key, domain in domains.items()}

    training = in_memory(loaded)
    if not config.load_size:
        return RunImages(training, training, validation)
    larger = load_training(config, config.load_size)
    for stream, domain in larger.items():
        if validation[stream] is not loaded[stream]:
            # Folders are split by prepared pixels, and so at each size in another way.
            larger[stream] = without(domain, set(validation[stream].names))
    return RunImages(in_memory(larger), training, validation)
