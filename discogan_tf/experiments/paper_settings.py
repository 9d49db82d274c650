"""Settings of the paper, for experiments that show what it says."""

# Its objective, normalization and constant learning rate. The defaults add two losses, normalize
# otherwise, and lower the rate.
PAPER_SETTINGS = {
    "normalization": "batch",
    "discriminator_normalization": "batch",
    "identity_weight": 0.0,
    "color_weight": 0.0,
    "beta_1": 0.5,
    "learning_rate_hold_steps": 0,
}
