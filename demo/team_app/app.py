"""The team's Procrastinate app, with procrastinate-ops added in the last lines.

The jobs have a database of their own (`JOB_QUEUE_DATABASE_URL`), apart from the web app's. Nothing
is connected here: whoever runs a worker or defers a job opens the app first.
"""

from __future__ import annotations

import os

import procrastinate

import jobs_maint

DATABASE_URL_NAME = "JOB_QUEUE_DATABASE_URL"

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ.get(DATABASE_URL_NAME, "")),
    import_paths=["demo.team_app.tasks"],
)

jobs_maint.register(app)

if os.environ.get("SLACK_BOT_TOKEN"):
    import chatbot

    chatbot.register_digests(app)
