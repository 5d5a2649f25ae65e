import subprocess
import sys

import pytest

from jobs_maint import errors
from jobs_maint.errors import InvalidRequest, JobsMaintError, NotPermitted

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, JobsMaintError)
]


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("InvalidRequest", 2),
        ("JobNotFound", 3),
        ("WrongJobStatus", 4),
        ("QueueingLockTaken", 4),
        ("AlreadyRunning", 4),
        ("ChangeRefused", 4),
        ("SelectionExpired", 4),
        ("DatabaseUnavailable", 69),
        ("NotPermitted", 77),
        ("SchemaMismatch", 78),
        ("InvalidSettings", 78),
    ],
)
def test_each_fact_has_its_exit_code(name, exit_code):
    assert getattr(errors, name).exit_code == exit_code


def test_every_error_has_a_code_of_its_own():
    codes = [error.code for error in CLASSES]
    assert len(codes) == len(set(codes)) == 12


def test_every_error_is_exported():
    assert {error.__name__ for error in CLASSES} == set(errors.__all__)


def test_a_suggestion_and_the_roles_travel_with_the_error():
    assert InvalidRequest("no", suggestion="stats").suggestion == "stats"
    refused = NotPermitted("no", needs="operator", has="viewer")
    assert (refused.needs, refused.has, str(refused)) == ("operator", "viewer", "no")


def test_importing_an_error_class_does_not_load_the_world():
    code = (
        "import sys; from jobs_maint.errors import JobsMaintError; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "{'psycopg', 'procrastinate', 'pydantic', 'click', 'rich', 'asyncio'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
