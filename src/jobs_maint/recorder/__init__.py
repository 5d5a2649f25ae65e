"""Recorded errors and the beat of the workers: a worker middleware and its thread."""

from jobs_maint.recorder.middleware import Recorder

__all__ = ["Recorder"]
