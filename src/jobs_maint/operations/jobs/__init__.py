"""One job and its history; retry, cancel and discard of jobs that were named."""
