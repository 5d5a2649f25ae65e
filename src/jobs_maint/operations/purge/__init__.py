"""Deleting old finished jobs in short batches."""
