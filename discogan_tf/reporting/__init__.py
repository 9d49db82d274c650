"""Reports on runs: HTML pages in one file each that open offline."""
