"""Parameters of statements: hidden where their placeholder stands for the column of a secret."""

from __future__ import annotations

import pytest

from jobs_maint.recorder.failure import cut
from jobs_maint.redaction import HIDDEN, redact_text


@pytest.mark.parametrize(
    ("statement", "given"),
    [
        ("INSERT INTO users (name, password) VALUES ($1::VARCHAR, $2::VARCHAR)", "('bo', '…')"),
        ("INSERT INTO users (name, password) VALUES (?, ?)", "[('bo', '…'), ('al', '…')]"),
        ("INSERT INTO users (name, password) VALUES (?, ?)",
         "[('bo', '…')  ... displaying 10 of 100 total bound parameter sets ...  ('al', '…')]"),
        ("INSERT INTO users (name, password) VALUES (?, ?), (?, ?)", "('bo', '…', 'al', '…')"),
        ("INSERT INTO users (name, password) VALUES (?, ?), (?, ?)",
         "('bo', '…', 'al' ... 20 parameters truncated ... '…', 'cy', '…')"),
        ("INSERT INTO users (born, password) VALUES (now(), crypt(?, gen_salt('bf')))", "('…',)"),
        ("INSERT INTO u (name, password) SELECT p0, p1 FROM (VALUES ($1, $2, 0), ($3, $4, 1)) AS s",
         "('bo', '…', 'al', '…')"),
        ("UPDATE users SET data=%s, password=%s WHERE users.id = %s",
         "({'a': [1, (2, 'x')]}, '…', 7)"),
        ("SELECT 1 FROM users WHERE token IN (?, ?) AND name = ?", "('…', '…', 'bo')"),
    ],
)  # fmt: skip
def test_the_parameters_of_an_error_of_sqlalchemy(statement, given):
    error = f"[SQL: {statement}]\n[parameters: {given}]\n(Background on this error at: https://x)"
    assert redact_text(error.replace("…", "Hq7Zk2")) == error.replace("…", HIDDEN)


@pytest.mark.parametrize(
    "text",
    [
        '    cur.execute("UPDATE users SET password = %s WHERE id = %s", ("…", 7))',
        '    await conn.execute("UPDATE users SET name = $1, password = $2", "bo", "…")',
        "(0.001) INSERT INTO users (name, password) VALUES (%s, %s); args=('bo', '…')",
        "Engine INSERT INTO u (a, password) VALUES (?, ?)\nEngine [raw sql] ('bo', '…')",
        "execute s: UPDATE u SET token = $2 WHERE id = $1\nDETAIL:  parameters: $1 = '7', $2 = '…'",
    ],
)
def test_the_parameters_in_logs_and_source_lines(text):
    assert redact_text(text.replace("…", "Hq7Zk2")) == text.replace("…", HIDDEN)


@pytest.mark.parametrize("limit", range(500, 4_096, 97))
def test_rows_of_which_some_were_cut_show_no_secret(limit):
    rows = ", ".join(f"('user{i}', 'Hq7Zk2{i:04d}')" for i in range(400))
    error = (
        "(sqlite3.IntegrityError) UNIQUE constraint failed: users.name\n"
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n"
        f"[parameters: [{rows}]]\n(Background on this error at: https://x)"
    )
    shown = redact_text(cut(error, limit))
    assert "Hq7Zk" not in shown
    assert "'user1', '[redacted]'" in shown
