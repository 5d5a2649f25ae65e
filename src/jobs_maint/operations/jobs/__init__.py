"""One job and its history; retry, cancel and discard of named jobs."""
