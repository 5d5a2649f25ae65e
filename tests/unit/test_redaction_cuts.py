"""What follows a cut is judged with what stood before it."""

from __future__ import annotations

import re

import pytest

from jobs_maint.recorder.failure import cut
from jobs_maint.redaction import HIDDEN, redact_text

SECRET = "Hq7Zk2"
LONG = SECRET * 1_000
BEGUN_BEFORE_A_CUT = {
    "rows": "INSERT INTO users (name, password) VALUES "
    + ", ".join(f"('user{i}', '{SECRET}{i}')" for i in range(600)),
    "rows on lines": "INSERT INTO users (name, password) VALUES\n"
    + ",\n".join(f"('user{i}', '{SECRET} {i}')" for i in range(600)),
    "a row": "INSERT INTO users (name, password) VALUES ('bo', '" + f"{SECRET} " * 1_000 + "')",
    "columns": f"INSERT INTO users ({', '.join(f'c{i}' for i in range(900))}, password) VALUES ("
    + "7, " * 900
    + f"'{SECRET}')",
    "copied": "COPY users (name, password) FROM stdin;\n"
    + "".join(f"user{i}\t{SECRET} {i}\n" for i in range(600)),
    "url": f"postgresql://user:{LONG}@host",
    "url in a sentence": f"no answer of postgresql://user:{LONG}@host",
    "quotes": f"Config(password='{SECRET * 900}', user='bo')",
    "words in quotes": f"Config(password='{f'{SECRET} ' * 900}', user='bo')",
    "lines in quotes": 'API_KEY="' + f"{f'{SECRET} ' * 40}\n" * 10 + '"\n' + "so " * 3_000,
    "cookie": "Cookie: " + f"a={SECRET}; " * 900,
    "bearer": f"Authorization: Bearer {LONG}",
    "pem": "-----BEGIN PRIVATE KEY-----\n" + (SECRET * 10 + "\n") * 120,
    "json": "[" + ",".join(f'{{"name":"u{i}","password":"{SECRET}{i}"}}' for i in range(900)) + "]",
    "names": ", ".join(f'{{"name": "u{i}", "password": "{SECRET} {i}"}}' for i in range(900)),
    "pairs": "password: Hq7Zk2abc, " * 900,
    "options": f"run --token {SECRET}abc, " * 900,
}


@pytest.mark.parametrize("text", BEGUN_BEFORE_A_CUT.values(), ids=BEGUN_BEFORE_A_CUT)
@pytest.mark.parametrize("limit", [512, *range(700, 4_096, 379), 4_096])
def test_a_secret_that_began_before_a_cut_is_not_shown_after_it(text, limit):
    for before in ("", "the import failed: "):
        shown = redact_text(cut(before + text, limit))
        assert SECRET not in shown
        assert re.search(r"\n… [\d,]+ characters cut …\n", shown)


@pytest.mark.parametrize("text", BEGUN_BEFORE_A_CUT.values(), ids=BEGUN_BEFORE_A_CUT)
def test_nor_is_it_in_a_text_that_was_cut_again(text):
    for again in range(600, 3_000, 111):
        assert SECRET not in redact_text(cut(cut(text, 4_096), again))
        assert SECRET not in redact_text(cut(f"{cut(text, 4_096)} so it failed: {text}", again))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("INSERT INTO u (a, password) VALUES ('x', ", " 'Hq7Zk2'), ('y', 'b')\nMore", "…')\nMore"),
        ("INSERT INTO u (a, b) VALUES ('x', ", " 7), ('y', 'b')\nMore", None),
        ("INSERT INTO u (a, password) VALUES (1, 'x'); it failed ", " ('y', 'b')", None),
        ("COPY u (a, password) FROM stdin;\n1\tHq7Zk2\n", "Hq7Zk2\n\\.\nMore", "…\\.\nMore"),
        ("password='a ", " Hq7Zk2', user='bo'", "…', user='bo'"),
        ("user='a ", " b', user='bo'", None),
        ("from http://host:8080", " to http://other:8080", None),
        ('{"password": ', ' "Hq7Zk2", "user": "bo"}', '…", "user": "bo"}'),
        ("a word ", " and more words", None),
        ("COPY u (token) FROM stdin;\n", "Hq7Zk2\n\\.\npin = 4711 More", "…\\.\npin = … More"),
        ("one", "Hq7Zk2 more, pin = 4711, so it failed", "… more, pin = …, so it failed"),
    ],
)  # fmt: skip
def test_what_no_longer_belongs_to_it_is_shown(before, after, shown):
    text = f"{before}\n… 70 characters cut …\n"
    expected = after if shown is None else shown.replace("…", HIDDEN)
    assert redact_text(text + after).partition("cut …\n")[2] == expected


def test_of_a_text_with_many_cuts_the_beginning_and_the_end_are_shown():
    text = "\n… 9 characters cut …\n".join(["first", *["password='a"] * 20, " last"])
    assert redact_text(text).startswith("first\n… 9 characters cut …\n")
    assert redact_text(text).endswith("\n… 9 characters cut …\n last")
    assert "password" not in redact_text(text)


def test_a_cut_itself_is_never_hidden():
    for before in ("Authorization: ", "password: ", "password='a ", 'api_key = "a\n', "Cookie: "):
        shown = redact_text(f"{before}\n… 9 characters cut …\nx y\" z' w")
        assert "\n… 9 characters cut …\n" in shown
