"""Metrics of translations, one file per family."""
