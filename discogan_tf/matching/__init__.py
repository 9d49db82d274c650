"""Finds the items of a catalog that match an image."""
