"""Training: who learns from what (schedules), one update (step), and time (loop)."""
