"""The models, named for their papers. A new one is a file here and a line in `MODELS`.

A model is any class made as `Model(config, compute_dtype)` with

- `generators`, `discriminators`: `dict[str, keras.Model]`, built; a generator's name begins with the
  domain whose pictures it takes ("a_to_b"), a discriminator's is the domain it judges;
- `forward(batch)`: everything that the losses of one batch share, as named tensors, so that no
  network runs twice on the same pictures;
- `generator_losses(tensors)`, `discriminator_losses(tensors)`: `dict[str, scalar]`, unweighted, of
  what `forward` gave; the losses of the discriminator of domain a are named `discriminator_a_...`;
- `sample(batch)`: named image batches, in the order in which a sample sheet shows them;
- `signatures(generators)`: direction -> name -> `Signature`, for use after training, with the model's
  own generators or others in their place; `serving_default` gives `translated`.
"""

from discogan_tf.errors import ConfigError
from discogan_tf.models.discogan import DiscoGAN
from discogan_tf.models.gan import GAN
from discogan_tf.models.recon_gan import ReconGAN

MODELS = {"discogan": DiscoGAN, "recon_gan": ReconGAN, "gan": GAN}


def create_model(config, compute_dtype):
    """The model that `config` names, built and with fresh weights.

    Raises:
      ConfigError: if there is no model of that name.
    """
    if config.model not in MODELS:
        raise ConfigError(f"--model={config.model}: must be one of {', '.join(MODELS)}")
    return MODELS[config.model](config, compute_dtype)
