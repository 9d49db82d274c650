"""Experiments on the paper's claims, and what typical runs look like."""

# Display name of each of the paper's models.
MODEL_NAMES = {"gan": "GAN", "recon_gan": "GAN with reconstruction", "discogan": "DiscoGAN"}
