"""A sample team: its web app, its tasks, its queues. What procrastinate-ops is added to."""
