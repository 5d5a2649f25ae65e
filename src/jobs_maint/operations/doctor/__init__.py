"""Is the set-up sound? Checks of schema, server, workers and maintenance."""
