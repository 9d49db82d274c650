"""Side-by-side measurements. Each program interleaves what it compares, for machines are noisy."""
