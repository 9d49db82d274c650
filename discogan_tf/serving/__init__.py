"""Trained translators for use elsewhere: export, server, client."""
