"""The settings of models that are trained on images with captions."""

import dataclasses

from discogan_tf.settings import NOT_NEGATIVE, POSITIVE, setting


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """Settings of `--model=text_encoder` and `--model=stackgan`."""

    domain: str = setting(
        "",
        "Domain of images with captions, as prepared by `data_prep captions`, in place of "
        "--domain_a and --domain_b.",
    )
    init_from: str = setting(
        "",
        "Workdir of a trained run that a new run starts from: Stage I of StackGAN takes the text "
        "encoder of a run with --model=text_encoder, Stage II takes Stage I.",
        may_change=True,
    )
    text_features: int = setting(
        256, "Size of a text embedding, and of the layers of the text encoder.", check=POSITIVE
    )
    stage_1_size: int = setting(
        0,
        "Height and width of the images of Stage I, in pixels, which Stage II of StackGAN refines. "
        "0 trains Stage I itself.",
        check=(lambda value: value in (0, 16, 32, 64), "must be 0, 16, 32 or 64"),
    )
    condition_size: int = setting(
        128, "Size of StackGAN's conditioning variable c.", check=POSITIVE
    )
    noise_size: int = setting(100, "Size of StackGAN's noise z.", check=POSITIVE)
    kl_weight: float = setting(
        0.002,
        "Weight of the Kullback-Leibler divergence of the conditioning variable, summed over its "
        "dimensions, from the standard normal distribution. 0 trains without conditioning "
        "augmentation: c is a function of the text alone.",
        check=NOT_NEGATIVE,
    )
    learning_rate_halving_steps: int = setting(
        0,
        "Halve the learning rate every so many steps, as in StackGAN. 0 does not.",
        check=NOT_NEGATIVE,
    )
