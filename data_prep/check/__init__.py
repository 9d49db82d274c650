"""Checks of domains: what is wrong with them, and what to do about it."""
