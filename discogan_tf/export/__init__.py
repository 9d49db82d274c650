"""Exports: SavedModels of the generators, checked against the networks they were made of."""
