"""The models, one file per paper. A new one is a file here and an entry in `MODELS`.

A model is any class that is made as `Model(config, compute_dtype)` and has

- `streams`: names of the streams of a batch that it learns from.
- `usage`: what a trained run is for, and the command, with places for its `workdir` and the display
  name of its first `direction`.
- `noise_size`: how many normal random numbers per image a batch has as the stream `noise`.
- `translations`: tuple of `Translation`, the only definition of what each generator translates.
- `generators`, `discriminators`: `dict[str, keras.Model]`, built. A translation and its generator
  have the same name. Logits may have any shape.
- `size_multiple`: as in `Architecture`; None if generators do not take images.
- `state`: `dict[str, tf.Variable]`, whatever else the next step depends on, such as a replay
  buffer. Checkpoints hold it.
- `forward(batch, step)`: all that the losses of one batch share, as named tensors, in training
  mode, each network once on the same input. A batch is a dict of named streams, each one array or a
  tuple of aligned ones; `step` is the number of the step, from 1 on.
- `generator_losses(tensors)`, `discriminator_losses(tensors)`: `dict[str, scalar]`, unweighted. The
  losses of the discriminator of domain a are named `discriminator_a_...`.
- `separate_losses`: names of losses that have passes of their own. Their gradients are computed
  apart and added last: the sum of three gradients of a variable would depend on timing.
- `loss_weights(step)`: weight of every loss at a step, by its name.
- `generator_inputs(batch)`: generator -> its inputs by name, in their order, for a batch of real
  data, of all generators whose streams the batch has. They serve to estimate statistics, to
  evaluate and to test exports.
- `sample(batch)`: named image batches, in the order in which a sample grid shows them.
- `initialize(trained)`: optional; takes what it does not train itself from the trained model of the
  run that `--init_from` names. A model with it cannot start without.
- `signatures(generators)`: translation -> name -> `Signature`, with the model's own generators or
  with others in their place, such as folded copies.
"""

import dataclasses

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.models.discogan import GAN, DiscoGAN, ReconGAN
from discogan_tf.models.stackgan import StackGAN
from discogan_tf.models.text_encoder import TextEncoderModel

MODELS = {
    "discogan": DiscoGAN,
    "recon_gan": ReconGAN,
    "gan": GAN,
    "text_encoder": TextEncoderModel,
    "stackgan": StackGAN,
}


def create_model(config: Config, compute_dtype):
    """The model that `config` names, built, with fresh weights.

    Args:
      config: The run's settings.
      compute_dtype: What the networks compute in during training.

    Raises:
      ConfigError: if there is no model of that name.
    """
    return model_class(config)(config, compute_dtype)


def model_class(config: Config) -> type:
    """The class of the model that `config` names.

    Raises:
      ConfigError: if there is no model of that name, or it learns from other data.
    """
    if config.model not in MODELS:
        raise ConfigError(f"--model={config.model}: must be one of {', '.join(MODELS)}")
    model = MODELS[config.model]
    if ("text" in model.streams) != bool(config.domain):
        needs = "needs --domain, a domain of images with captions"
        has = "has no use for --domain: name its domains by --domain_a and --domain_b"
        raise ConfigError(f"--model={config.model} {has if config.domain else needs}")
    for flag, method in (("init_from", "initialize"), ("stage_1_size", "stages")):
        if getattr(config, flag) and not hasattr(model, method):
            raise ConfigError(f"--model={config.model} has no use for --{flag}")
    return model


def create_inference_model(config: Config):
    """The model of a run for use after training: float32 and plain convolutions, as in exports."""
    return create_model(_without_replay(config, conv_implementation="plain"), "float32")


def create_ema_model(config: Config):
    """The model whose generators become the EMA of those of a run."""
    return create_model(_without_replay(config), "float32")


def _without_replay(config: Config, **changes) -> Config:
    """Only the model that trains has discriminators to show stored translations to."""
    return dataclasses.replace(config, replay_images=0, **changes)
