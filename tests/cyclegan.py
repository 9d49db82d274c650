"""Settings of CycleGAN for tests, with a single residual block."""

CYCLEGAN = {
    "architecture": "resnet",
    "residual_blocks": 1,
    "normalization": "instance",
    "discriminator_normalization": "instance",
    "adversarial_loss": "least_squares",
    "color_weight": 0.0,
    "replay_images": 16,
    "discriminator_weight": 0.5,
    "beta_1": 0.5,
    "learning_rate_hold_steps": 0,
}
