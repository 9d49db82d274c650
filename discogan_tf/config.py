"""The settings of a run: one frozen dataclass, validated once, and its text form.

The fields below are the single source of the command-line flags (`flags.py` defines one per field),
of the defaults, and of `config.cfg` in a workdir. The defaults are the best recipe found for the
chapter's networks; `chapter.cfg` has the chapter's own. TensorFlow is not imported here, so that
`--help` answers at once.
"""

import dataclasses
import re

from discogan_tf.constraints import require_consistent
from discogan_tf.errors import ConfigError
from discogan_tf.settings import FRACTION, NOT_EMPTY, NOT_NEGATIVE, POSITIVE, setting
from discogan_tf.text_settings import TextSettings

_IMAGE_SIZES = (16, 32, 64, 128, 256)
# How a checkpoint is named on the command line.
LAST, BEST = "last", "best"
CHECKPOINT_HELP = (
    "last; best, by the mean validation score of all directions; best_DIRECTION, such as "
    "best_handbags2shoes; or the step of a checkpoint that the run has kept."
)


@dataclasses.dataclass(frozen=True)
class Config(TextSettings):
    """All settings of a training run.

    Raises:
      ConfigError: if a setting is out of range.
    """

    data_dir: str = setting(
        "data", "Folder of prepared domains and of archives.", check=NOT_EMPTY, may_change=True
    )
    workdir: str = setting(
        "runs/bags_shoes",
        "Folder of this run. Training again in it resumes the run.",
        check=NOT_EMPTY,
        may_change=True,
    )
    domain_a: str = setting(
        "edges2handbags/photo", "First domain, as prepared by data_prep.", check=NOT_EMPTY
    )
    domain_b: str = setting(
        "edges2shoes/photo", "Second domain, as prepared by data_prep.", check=NOT_EMPTY
    )
    name_a: str = setting(
        "", "Display name of domain a; by default taken from --domain_a.", may_change=True
    )
    name_b: str = setting(
        "", "Display name of domain b; by default taken from --domain_b.", may_change=True
    )
    image_size: int = setting(
        64,
        "Height and width of the images in pixels: 32, 64, 128 or 256; also 16 with --domain.",
        check=(_IMAGE_SIZES.__contains__, "must be 16, 32, 64, 128 or 256"),
    )
    load_size: int = setting(
        0,
        "Train on random crops, --image_size large, of images that were prepared at this size: "
        "CycleGAN's are 286 for 256. All else sees whole images. 0 trains on whole images.",
        check=NOT_NEGATIVE,
    )
    flip: bool = setting(False, "Mirror half of the training images left to right, at random.")
    split_pairs: bool = setting(
        True,
        "If both domains are halves of one archive, train each on a different half of the pairs, "
        "so that no image is seen together with its ground truth.",
    )
    train_share: float = setting(
        1.0,
        "Share of the training images to train on, evenly spaced, such as 0.5.",
        check=(lambda value: 0 < value <= 1, "must be greater than 0 and at most 1"),
    )
    cache_bytes: int = setting(
        4 << 30,
        "Cache the training images of a domain in memory if they fit into this many bytes. "
        "Otherwise they are read from disk as needed, in the same order.",
        check=NOT_NEGATIVE,
        may_change=True,
    )
    device_cache_bytes: int = setting(
        -1,
        "Cache the training images on each device and make batches there, if both domains fit into "
        "this many bytes. -1 is 4 GiB on GPUs, and 0 on CPUs, where it would be a second copy. Not "
        "with --distribute=multi_worker.",
        check=(lambda value: value >= -1, "must be -1 or greater"),
        may_change=True,
    )
    model: str = setting(
        "discogan",
        "Model to train, a name in discogan_tf.models.MODELS: discogan; recon_gan, with cycle "
        "consistency in one direction; gan, without it; with --domain, text_encoder or stackgan.",
    )
    architecture: str = setting(
        "chapter",
        "Networks: the chapter's; those of the paper authors' code, for 64 pixels (paper); or "
        "CycleGAN's residual generators and patch discriminators (resnet).",
        choices=("chapter", "paper", "resnet"),
    )
    base_filters: int = setting(
        0,
        "Channels after the first convolution; all other layers scale with it. An even number; 0 "
        "takes the architecture's own (chapter 32, paper and resnet 64, StackGAN 128).",
        check=(lambda value: value >= 0 and value % 2 == 0, "must be 0 or a positive even number"),
    )
    residual_blocks: int = setting(
        6,
        "Number of residual blocks in the generators of --architecture=resnet, and in Stage II of "
        "StackGAN.",
        check=POSITIVE,
    )
    patch_layers: int = setting(
        2,
        "Number of strided convolutions in the discriminators of --architecture=resnet, each of "
        "whose outputs classifies a patch: of 16 pixels with 1, 34 with 2, 70 with 3, 142 with 4.",
        check=(lambda value: 1 <= value <= 4, "must be from 1 to 4"),
    )
    normalization: str = setting(
        "batch_renorm",
        "Normalization of the generators. batch_renorm computes the same function in training as "
        "afterward. batch, as in the chapter, computes another one for each kind of batch, which "
        "can make long runs collapse. instance, as in CycleGAN, normalizes each image by itself.",
        choices=("batch_renorm", "batch", "instance"),
    )
    discriminator_normalization: str = setting(
        "spectral",
        "Normalization of the discriminators. spectral divides kernels by their norm. batch is the "
        "chapter's; instance is CycleGAN's, for --architecture=resnet.",
        choices=("spectral", "batch", "instance"),
    )
    num_steps: int = setting(
        3200,
        "Steps to train in all, those before a resume included.",
        check=POSITIVE,
        may_change=True,
    )
    batch_size: int = setting(
        16, "Images of each domain per update, over all replicas together.", check=POSITIVE
    )
    learning_rate: float = setting(4e-4, "Learning rate of Adam.", check=POSITIVE)
    learning_rate_hold_steps: int = setting(
        800,
        "Number of steps with the full learning rate. After them it falls as 1 / step, whatever "
        "the length of the run. 0 keeps it constant.",
        check=NOT_NEGATIVE,
    )
    learning_rate_decay_steps: int = setting(
        0,
        "Number of final steps over which the learning rate decays linearly to 0. The schedule "
        "ends at --num_steps, so a run that has one cannot be continued with another --num_steps.",
        check=NOT_NEGATIVE,
    )
    beta_1: float = setting(
        0.0,
        "Decay of Adam's first moment. 0 is no momentum; many GANs have 0.5.",
        check=FRACTION,
    )
    generator_updates_per_step: int = setting(
        1,
        "Updates of the generators per step, each on a fresh batch; the discriminators get one.",
        check=POSITIVE,
    )
    separate_discriminator_batch: bool = setting(
        False,
        "Update the discriminators on a batch of their own, before those of the generators. With "
        "--generator_updates_per_step=2 they learn from every third batch, as in the paper "
        "authors' code.",
    )
    weight_decay: float = setting(
        0.0,
        "L2 regularization: this fraction of each weight is added to its gradient.",
        check=NOT_NEGATIVE,
    )
    adversarial_loss: str = setting(
        "cross_entropy",
        "Loss between generators and discriminators. The chapter's is cross_entropy, CycleGAN's "
        "least_squares.",
        choices=("cross_entropy", "least_squares", "hinge"),
    )
    adversarial_weight: float = setting(
        1.0, "Weight of the generators' adversarial losses.", check=NOT_NEGATIVE
    )
    reconstruction_loss: str = setting(
        "l1", "Distance between an image and its reconstruction.", choices=("mse", "l1", "cosine")
    )
    reconstruction_weight: float = setting(
        20.0, "Weight of the reconstruction losses (cycle consistency).", check=NOT_NEGATIVE
    )
    identity_weight: float = setting(
        10.0,
        "Weight of the identity losses: how much a generator changes images that already belong to "
        "its target domain. They keep colors from being inverted. 0 omits them, as in the paper.",
        check=NOT_NEGATIVE,
    )
    identity_images: int = setting(
        4,
        "How many images of each batch the identity losses use, evenly spaced; 0 is all. A few "
        "more if it does not divide --batch_size.",
        check=NOT_NEGATIVE,
    )
    color_weight: float = setting(
        0.5,
        "Weight of the color losses: how far the mean color of a translation is from that of its "
        "input, each compared with its own domain. They decide in the first few hundred steps that "
        "colors carry over. 0 omits them, as in the paper.",
        check=NOT_NEGATIVE,
    )
    shape_weight: float = setting(
        0.0,
        "Weight of the shape losses: how far the contours of a translation are from those of its "
        "input. For domains that show the same things in the same places, such as drawings and "
        "photos.",
        check=NOT_NEGATIVE,
    )
    feature_matching_weight: float = setting(
        0.0,
        "Weight of the feature matching losses: how far batches of translations are from real ones "
        "in the discriminators' features.",
        check=NOT_NEGATIVE,
    )
    discriminator_weight: float = setting(
        1.0, "Weight of the discriminator losses.", check=POSITIVE
    )
    replay_images: int = setting(
        0,
        "How many earlier translations of each domain to store for the discriminators, which learn "
        "from them as often as from new ones; CycleGAN's are 50. 0 stores none.",
        check=NOT_NEGATIVE,
    )
    reconstruction_rate: float = setting(
        0.0,
        "Share r of reconstruction in the generators' total: its weights are multiplied by r, all "
        "others by 1 - r. 0 leaves all weights as they are.",
        check=FRACTION,
    )
    early_reconstruction_rate: float = setting(
        0.01, "Value of --reconstruction_rate in the first --early_steps steps.", check=FRACTION
    )
    early_steps: int = setting(
        0, "Number of steps that use --early_reconstruction_rate.", check=NOT_NEGATIVE
    )
    ema_decay: float = setting(
        0.995,  # Differs from the chapter, which uses the raw weights.
        "Decay of the exponential moving average (EMA) of the generators' weights, which sample "
        "grids, metrics, translations and exports use. 0 uses the raw weights, as the chapter "
        "does.",
        check=FRACTION,
    )
    seed: int = setting(
        0,
        "Seed of the initial weights, of the order of images, and of all that is random.",
        check=(lambda value: 0 <= value < 2**31, "must be in [0, 2**31)"),
    )
    precision: str = setting(
        "auto",
        "Number format of convolutions and activations. auto is bfloat16 where the hardware "
        "computes in it and float32 elsewhere. Weights, statistics, losses and translations are "
        "always float32.",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    conv_implementation: str = setting(
        "auto",
        "How 4x4 convolutions are computed in training. plain is TensorFlow's own; auto replaces "
        "it on CPUs where something else is faster. Both give the same up to rounding.",
        choices=("auto", "plain"),
        may_change=True,
    )
    distribute: str = setting(
        "none",
        "Spread each batch over the devices of this machine (mirrored) or of several "
        "(multi_worker, configured by TF_CONFIG).",
        choices=("none", "mirrored", "multi_worker"),
        may_change=True,
    )
    steps_per_execution: int = setting(
        1,
        "Steps taken in one execution of TensorFlow, without Python between them. It ends early "
        "where there is something to log, show or save. The steps are the same.",
        check=POSITIVE,
        may_change=True,
    )
    xla: bool = setting(
        False,
        "Compile losses and gradients with XLA, for GPUs; slower on CPUs. For one device.",
        may_change=True,
    )
    num_threads: int = setting(
        0,
        "Threads per operation on a CPU; independent operations run in parallel. 0 is half of the "
        "cores. Runs are bitwise identical only if this number is the same.",
        check=NOT_NEGATIVE,
        may_change=True,
    )
    deterministic: bool = setting(
        False,
        "Use only deterministic operations on GPUs; slower. CPUs are always deterministic.",
        may_change=True,
    )
    on_nonfinite: str = setting(
        "stop",
        "What to do about a loss or gradient that is NaN or infinite: stop, or restore the last "
        "checkpoint and skip that batch (rollback; at most three times).",
        choices=("stop", "rollback"),
        may_change=True,
    )
    allow_changed_data: bool = setting(
        False,
        "Continue although the images are not those that the run began with.",
        may_change=True,
    )
    log_every_steps: int = setting(
        10, "Steps between losses in the metrics log.", check=POSITIVE, may_change=True
    )
    sample_every_steps: int = setting(
        400, "Steps between sample grids and histograms.", check=POSITIVE, may_change=True
    )
    evaluate_every_steps: int = setting(
        400, "Steps between evaluations on validation images.", check=POSITIVE, may_change=True
    )
    stop_when_worse: bool = setting(
        False,
        "Stop when the score of a direction has been far above its best for two evaluations. Not "
        "with --distribute=multi_worker.",
        may_change=True,
    )
    save_every_steps: int = setting(
        400, "Steps between checkpoints.", check=POSITIVE, may_change=True
    )
    keep_checkpoints: int = setting(
        2,
        "How many of the last checkpoints to keep. With 1, a corrupt one loses the run.",
        check=POSITIVE,
        may_change=True,
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, choices = getattr(self, field.name), field.metadata["choices"]
            if choices and value not in choices:
                raise ConfigError(f"--{field.name}={value}: must be one of {', '.join(choices)}")
            predicate, requirement = field.metadata["check"] or (None, None)
            if predicate and not predicate(value):
                raise ConfigError(f"--{field.name}={value}: {requirement}")
        require_consistent(self)
        names = default_names(self.domain_a, self.domain_b)
        for field_name, name in zip(("name_a", "name_b"), names, strict=True):
            # A frozen dataclass can complete itself only this way.
            object.__setattr__(self, field_name, getattr(self, field_name).strip() or name)
        if self.name_a == self.name_b:
            raise ConfigError(
                f"both domains are named {self.name_a!r}: distinguish them by --name_a and --name_b"
            )

    @property
    def domains(self) -> dict[str, str]:
        """Stream of a batch -> the domain that it comes from."""
        if self.domain:
            return {"image": self.domain}
        return {"a": self.domain_a, "b": self.domain_b}

    @property
    def display_names(self) -> dict[str, str]:
        """Stream of a batch -> the domain's name as users see it."""
        if self.domain:
            return {"image": self.domain.replace("/", "_")}
        return {"a": self.name_a, "b": self.name_b}


def default_names(domain_a: str, domain_b: str) -> tuple[str, str]:
    """Display names of two domains.

    >>> default_names("edges2handbags/photo", "sample_edges2shoes/photo")
    ('handbags', 'shoes')
    >>> default_names("edges2shoes/edges", "edges2shoes/photo")
    ('edges', 'photo')
    >>> default_names("monet2photo_a", "monet2photo_b")
    ('monet', 'photo')
    >>> default_names("bags_2024", "bags2")
    ('bags_2024', 'bags2')
    >>> default_names("set2/photo", "shoes2024/photo")
    ('set2', 'shoes2024')
    """
    dataset_a, _, half_a = domain_a.partition("/")
    dataset_b, _, half_b = domain_b.partition("/")
    if dataset_a == dataset_b and half_a and half_b:
        return half_a, half_b
    pair = re.fullmatch(r"([A-Za-z]+)2([A-Za-z]+)_a", domain_a)
    if pair and domain_b == f"{domain_a[:-1]}b":
        return pair.group(1), pair.group(2)
    pairs = (
        re.fullmatch(r"(?:\w*_)?[A-Za-z]+2([A-Za-z]+)", name) for name in (dataset_a, dataset_b)
    )
    return tuple(
        pair.group(1) if half and pair else dataset
        for pair, half, dataset in zip(pairs, (half_a, half_b), (dataset_a, dataset_b), strict=True)
    )
