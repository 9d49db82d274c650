"""The synthetic sample: drawings of handbags and shoes in the format of pix2pix."""
