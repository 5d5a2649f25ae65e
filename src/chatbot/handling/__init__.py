"""One request from Slack: the words or the button, the work, the answer where it may be seen."""
