"""The embedded sample: drawn handbags and shoes in the pix2pix format, for tests and first runs."""
