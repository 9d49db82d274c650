"""Side-by-side measurements, interleaved because machines are noisy."""
