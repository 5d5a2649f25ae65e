"""Requests out: Slack's Web API and response_urls, when it refuses, limits or does not answer."""
