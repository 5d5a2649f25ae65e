"""Requests in: HTTP and Socket Mode, and what Slack delivered read as one `SlackRequest`."""
