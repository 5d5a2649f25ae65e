"""Is the set-up sound: checks of schema, server, workers and maintenance."""
