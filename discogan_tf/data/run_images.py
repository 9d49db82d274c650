"""The images of a run, loaded."""

import hashlib
from typing import NamedTuple

import numpy as np

from discogan_tf.config import Config
from discogan_tf.data.captions import Captions
from discogan_tf.data.domains import (
    Domain,
    StoredImages,
    cached,
    count_images,
    fit,
    load_domain,
    load_domain_captions,
    load_training,
    share_indices,
    without,
)
from discogan_tf.errors import DataError

# Two domains are the same if more than this share of the smaller one's images is in both.
_SAME = 0.5
_AT_ONCE = 1024
# Validation images from which metrics have intervals that say something.
_FEW = 20
# Stream -> images, uint8 [n, size, size, 3] in 0 .. 255, in memory or on disk.
Images = dict[str, np.ndarray | StoredImages]


class RunImages(NamedTuple):
    """What a run trains on and is shown.

    Attributes:
      sources: What batches are made from: `training`, or larger images for random crops.
      training: Training images of the size of a batch, and `text` if they have captions: the first
        of each.
      validation: Stream -> the domain of its validation images, of that size, and `text` likewise.
      captions: All captions of the training images, if they have any.
    """

    sources: Images
    training: Images
    validation: dict[str, Domain]
    captions: Captions | None = None


def load_split(config: Config, split: str) -> dict[str, Domain]:
    """One split of each domain of a run, and its captions, if it has any, as the stream `text`.

    Raises:
      DataError: as `load_domain`; or if the run needs captions and there are none.
    """
    found = {
        stream: load_domain(config.data_dir, name, split, config.image_size)
        for stream, name in config.domains.items()
    }
    if config.domain:
        found["text"] = _first_captions(_load_captions(config, split), found["image"])
    return found


def split_of_examples(config: Config) -> str:
    """The split that shows what a run does: "val", or "train" if a domain has no validation images.

    Raises:
      DataError: if a domain is not prepared.
    """
    counts = (
        count_images(config.data_dir, domain, config.image_size)
        for domain in config.domains.values()
    )
    return "val" if all(count.get("val") for count in counts) else "train"


def _require_usable(config: Config, training: dict[str, Domain]) -> None:
    """Checks that there is something to learn from.

    Raises:
      DataError: if a domain has fewer images than a step takes, or both are the same images.
    """
    for stream, domain in training.items():
        if len(domain.images) < config.batch_size:
            remedy = "Find more images (some hundred at least)"
            if config.train_share < 1:
                remedy = "Raise --train_share"
            raise DataError(
                f"a step takes --batch_size={config.batch_size} images of each domain, but "
                f"{config.domains[stream]} has {len(domain.images)} for training. {remedy}, or "
                "lower --batch_size to try the commands"
            )
    if len(training) == 2:
        digests = [_digests(domain) for domain in training.values()]
        shared = len(digests[0] & digests[1]) / min(map(len, digests))
        names = " and ".join(config.domains.values())
        if shared > _SAME:
            raise DataError(
                f"{names} hold the same images ({shared:.0%} are equal), so there is nothing to "
                "translate. Name two domains that differ by --domain_a and --domain_b"
            )
        if shared:
            print(f"Note: {shared:.1%} of the images of {names} are in both.")


def _require_same_fit(config: Config, name: str) -> None:
    """Checks that crops are made of images that became square as those of --image_size did."""
    sizes = (config.image_size, config.load_size)
    of_size = {size: fit(config.data_dir, name, size) for size in sizes}
    if len(set(of_size.values())) > 1:
        of_each = " and ".join(f"--fit={found} at {size} pixels" for size, found in of_size.items())
        raise DataError(
            f"{name} is prepared with {of_each}, so that training and use would see images framed "
            "in two ways. Prepare it with the same --fit at both sizes"
        )


def _digests(domain: Domain) -> set[bytes]:
    """Digests of all images."""
    found = set()
    for start in range(0, len(domain.names), _AT_ONCE):
        for image in np.ascontiguousarray(domain.images[start : start + _AT_ONCE]):
            found.add(hashlib.blake2b(image, digest_size=16).digest())
    return found


def _load_captions(config: Config, split: str) -> Captions:
    found = load_domain_captions(config.data_dir, config.domain, split, config.image_size)
    if found is None:
        raise DataError(
            f"the domain {config.domain} has no captions. Prepare it with `python -m data_prep "
            "captions`, or name its images by --domain_a and --domain_b"
        )
    return found


def _first_captions(captions: Captions, images: Domain) -> Domain:
    return Domain(captions.characters[:, 0], images.names)


def load_run_images(config: Config) -> RunImages:
    """Loads the images of a run, and says if there are none for validation.

    Raises:
      DataError: if a domain is not prepared at a size that the run needs.
    """
    validation = {}
    loaded = load_training(config, config.image_size)
    for stream, domain in config.domains.items():
        if count_images(config.data_dir, domain, config.image_size).get("val"):
            validation[stream] = load_domain(config.data_dir, domain, "val", config.image_size)
        else:
            print(
                f"Note: {domain} has no validation images. Sample grids and metrics use training "
                "images instead."
            )
            validation[stream] = loaded[stream]
        if len(validation[stream].names) < _FEW:
            print(
                f"Note: {domain} has only {len(validation[stream].names)} validation image(s). "
                "Metrics, and what is the best checkpoint, say little."
            )

    def in_memory(domains: dict[str, Domain]) -> Images:
        return {key: cached(domain.images, config.cache_bytes) for key, domain in domains.items()}

    _require_usable(config, loaded)
    training = in_memory(loaded)
    if config.domain:
        captions, held_out = _load_captions(config, "train"), validation["image"]
        captions = captions.take(share_indices(len(captions.rows), config.train_share))
        known = captions if held_out is loaded["image"] else _load_captions(config, "val")
        validation["text"] = _first_captions(known, held_out)
        with_text = training | {"text": _first_captions(captions, loaded["image"]).images}
        return RunImages(training, with_text, validation, captions)
    if not config.load_size:
        return RunImages(training, training, validation)
    larger = load_training(config, config.load_size)
    for stream, domain in larger.items():
        _require_same_fit(config, config.domains[stream])
        if validation[stream] is not loaded[stream]:
            # Folders are split by prepared pixels, and so at each size in another way. A name that
            # training has too, as of trainA and testA, is of another image.
            held_out = set(validation[stream].names) - set(loaded[stream].names)
            larger[stream] = without(domain, held_out)
    return RunImages(in_memory(larger), training, validation)
