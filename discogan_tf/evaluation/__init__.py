"""How good a translation is, in numbers. One file for each family of metrics."""
