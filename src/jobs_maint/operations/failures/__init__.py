"""Failed jobs, newest first, and failures in groups."""
