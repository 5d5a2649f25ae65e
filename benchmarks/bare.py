"""An app that has nothing but its connector: the least that Procrastinate's shell can load."""

import os

import procrastinate

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["JOB_QUEUE_DATABASE_URL"])
)
