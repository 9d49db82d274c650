"""Errors that a user can fix. Every message says what to do next."""


class PreparationError(Exception):
    """A source is missing, corrupt or unsupported, or the result cannot be written."""


class ImageError(Exception):
    """One image cannot be used; the others can."""
