"""What a workdir holds: settings, checkpoints, metrics log, provenance; and what a run prints."""
