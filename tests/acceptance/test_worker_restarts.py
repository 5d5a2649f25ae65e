"""What a restart of PostgreSQL does to a worker, by a rule of Procrastinate that our pages tell."""

from __future__ import annotations

import contextlib

import psycopg
import pytest
from tests.support.own_server import open_own_server
from tests.support.processes import Processes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.environments

OPTIONS = '{"queues": ["none"], "fetch_job_polling_interval": 3600}'
IDLE = """SELECT bool_or(query LIKE 'LISTEN %')
              AND bool_and(state = 'idle' AND state_change < now() - interval '1 second')
          FROM pg_stat_activity WHERE application_name LIKE 'queue-app-%'"""
"""One that is just asking for a job ends with the error of that, and exit code 1."""


def test_an_idle_worker_with_register_ends_with_exit_code_0_when_the_database_restarts():
    with open_own_server() as own:
        url = own.url(own.create_lasting("ours_template"))
        processes = Processes(url)
        try:
            worker = processes.start("-m", "tests.support.queue_app", OPTIONS)
            with contextlib.closing(psycopg.connect(url, autocommit=True)) as conn:
                wait_until(lambda: conn.execute(IDLE).fetchone() == (True,), what="an idle worker")
            own.control("restart", "-m", "fast", "-l", f"{own.folder}/again")
            assert worker.wait() == 0, worker.output
        finally:
            processes.kill_all()
