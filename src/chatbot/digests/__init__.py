"""Failure summaries, posted to channels by the workers the team already has."""

from chatbot.digests.registering import register_digests

__all__ = ["register_digests"]
