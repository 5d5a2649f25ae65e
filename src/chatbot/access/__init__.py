"""Who may do what: roles from the settings, members of user groups from Slack."""
