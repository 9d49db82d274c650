"""Pages about runs that open offline, in one file each."""
