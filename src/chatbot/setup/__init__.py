"""Is the Slack side sound: the app's manifest, its scopes, what the doctor checks."""
