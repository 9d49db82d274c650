"""What the settings of a run must satisfy together."""

import dataclasses

from discogan_tf.errors import ConfigError

_TEXT_MODELS = ("text_encoder", "stackgan")
# What only translators between two domains have.
_OF_TRANSLATORS = (
    "architecture", "patch_layers", "reconstruction_loss", "reconstruction_weight",
    "reconstruction_rate", "early_reconstruction_rate", "early_steps", "identity_weight",
    "identity_images", "color_weight", "shape_weight", "feature_matching_weight", "replay_images",
)  # fmt: skip
# What only models of text and images have.
_OF_TEXT_MODELS = ("text_features", "condition_size", "noise_size", "kl_weight")
# What only models that make images have.
_OF_GENERATORS = (
    "condition_size", "noise_size", "kl_weight", "normalization", "discriminator_normalization",
    "adversarial_loss", "adversarial_weight", "discriminator_weight", "residual_blocks",
)  # fmt: skip
# What only residual networks have.
_OF_RESNET = ("residual_blocks", "patch_layers")


def require_consistent(config) -> None:
    """Checks settings, each valid by itself, against each other.

    Args:
      config: A `Config`.

    Raises:
      ConfigError: if two exclude each other.
    """
    if config.image_size < 32 and not config.domain:
        raise ConfigError(f"--image_size={config.image_size} is for models with --domain")
    if config.stage_1_size >= config.image_size:
        raise ConfigError(
            f"--stage_1_size={config.stage_1_size}: must be less than "
            f"--image_size={config.image_size}"
        )
    if config.domain and (config.flip or config.load_size):
        raise ConfigError(
            "--domain: not with --flip or --load_size: captions may say what is where"
        )
    _require_effective(config)
    if config.architecture == "paper" and config.image_size != 64:
        raise ConfigError(
            f"--architecture=paper is for 64 pixels, not --image_size={config.image_size}"
        )
    if config.architecture == "paper" and config.normalization == "instance":
        raise ConfigError(
            "--normalization=instance needs feature maps, and the bottleneck of "
            "--architecture=paper is a single pixel"
        )
    instance_in_discriminators = config.discriminator_normalization == "instance"
    if config.architecture != "resnet" and instance_in_discriminators and not config.domain:
        raise ConfigError(
            "--discriminator_normalization=instance needs feature maps, and the last features of "
            f"--architecture={config.architecture} are a single pixel"
        )
    if config.architecture == "resnet" and config.image_size >> config.patch_layers < 4:
        raise ConfigError(
            f"--patch_layers={config.patch_layers} leaves less than one patch of "
            f"{config.image_size} pixels"
        )
    if 0 < config.load_size <= config.image_size:
        raise ConfigError(
            f"--load_size={config.load_size}: must be larger than "
            f"--image_size={config.image_size}, or 0"
        )
    if 0 < config.replay_images < config.batch_size:
        raise ConfigError(
            f"--replay_images={config.replay_images}: must be at least "
            f"--batch_size={config.batch_size}"
        )
    if config.replay_images and config.xla:
        raise ConfigError("--replay_images: not with --xla, which draws other random numbers")
    if config.replay_images and (
        config.generator_updates_per_step > 1 or config.separate_discriminator_batch
    ):
        raise ConfigError(
            "--replay_images: not with batches for the generators alone, which would fill the "
            "buffers with translations that discriminators never see. Give "
            "--generator_updates_per_step=1 --noseparate_discriminator_batch"
        )
    if config.early_steps and not config.reconstruction_rate:
        raise ConfigError(
            f"--early_steps={config.early_steps} has no effect while --reconstruction_rate is 0. "
            "Set --reconstruction_rate, or omit --early_steps"
        )
    if config.stop_when_worse and config.distribute == "multi_worker":
        raise ConfigError(
            "--stop_when_worse: not with --distribute=multi_worker, where only one worker evaluates"
        )
    if config.learning_rate_decay_steps > config.num_steps:
        raise ConfigError(
            f"--learning_rate_decay_steps={config.learning_rate_decay_steps}: must be at most "
            f"--num_steps={config.num_steps}"
        )


def _require_effective(config) -> None:
    """Checks that no setting was changed that the model or its networks do not have."""
    if config.model not in _TEXT_MODELS:
        without = {f"--model={config.model}": _OF_TEXT_MODELS}
        if config.architecture != "resnet":
            without[f"--architecture={config.architecture}"] = _OF_RESNET
    else:
        without = {f"--model={config.model}": _OF_TRANSLATORS}
        if config.model == "text_encoder":
            without[f"--model={config.model}"] += _OF_GENERATORS
        elif not config.stage_1_size:
            without["--stage_1_size=0"] = ("residual_blocks",)
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    for cause, names in without.items():
        for name in names:
            if getattr(config, name) != defaults[name]:
                raise ConfigError(
                    f"--{name} has no effect with {cause}: omit it, or give {defaults[name]}"
                )
