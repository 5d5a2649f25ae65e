"""What runs behind every request: log lines with its id, tasks that a shutdown waits for."""
