"""Incidents: what is wrong, since when, and what was told of it."""
