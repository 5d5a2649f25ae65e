"""The bot's settings, as read from the environment and JOBS_CONFIG."""
