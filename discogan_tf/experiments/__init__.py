# The paper's models, as people call them.
MODEL_WORDS = {"gan": "GAN", "recon_gan": "GAN with reconstruction", "discogan": "DiscoGAN"}
