"""Training: who updates what (schedules), one update (step), and time (loop)."""
