"""From a prepared domain on disk to batches for the training step."""
