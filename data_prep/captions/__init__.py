"""Captioned images: a table of captions, and the images it names, as one prepared domain."""
