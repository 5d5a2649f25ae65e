"""Secrets in arguments and texts, as tasks and libraries really write them."""

from __future__ import annotations

import json

import pytest

from jobs_maint.redaction import HIDDEN, Rules, names, redact_args, redact_text

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2", "client_secret=hunter2", "access_token: hunter2",
        "DB_PASSWORD=hunter2", "PGPASSWORD=hunter2 psql", "aws_secret_access_key=hunter2",
        "accessToken=hunter2", "X-Api-Key: hunter2", "passphrase=hunter2", "--password hunter2",
        "password = 'two hunter2 words'", '{"password": "two hunter2 words"}',
        "b'password': b'hunter2'", 'password="quoted \\" hunter2"',
        json.dumps({"body": json.dumps({"password": "two hunter2 words", "user": "bo"})}),
        "postgresql://user:hunter2@host/db", "redis://:hunter2@host",
        "postgresql://user:p@hunter2@host/db", "mysql://user:pa/hunter2@host/db",
        "Authorization: Bearer hunter2hunter2", "Cookie: session=hunter2; theme=dark",
        "Set-Cookie: sid=hunter2; Path=/",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIhunter2\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_a_secret_in_a_text_is_hidden(text):
    found = redact_text(text)
    assert SECRET not in found
    assert HIDDEN in found
    assert SECRET not in json.dumps(redact_args({"text": text, "list": [text]}))


@pytest.mark.parametrize(
    "text",
    [
        "connection to https://host:8080/path?email=a@b.example failed",
        "see https://a.example/x, or mail b@c.example",
        "idempotency_key=k1 tokenizer=fast monkey: banana",
        "unexpected token: }",
        "passwordless login worked",
        'File "/usr/lib/python3.11/asyncio/base_events.py", line 654, in run_until_complete',
        "job 123 (0b5a3d2e-8f0c-4f0e-9d2f-0a1b2c3d4e5f) failed",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact_text(text) == text


def test_what_follows_a_secret_stays():
    assert redact_text("password=x1, user=bo") == f"password={HIDDEN}, user=bo"
    assert redact_text('{"token": "x y", "id": 7}') == f'{{"token": "{HIDDEN}", "id": 7}}'


def test_what_is_around_a_secret_stays_whole():
    assert redact_text("Authorization: Digest x9") == f"Authorization: Digest {HIDDEN}"
    sent = r"b'GET / HTTP/1.1\r\nAuthorization: Custom x9\r\nHost: a'"
    assert redact_text(sent) == sent.replace("x9", HIDDEN)
    assert redact_text("password: !!str hunter2 # old") == f"password: !!str {HIDDEN} # old"
    found = redact_text("User(name='ana', password=SecretStr('hunter2'), age=7)")
    assert found == f"User(name='ana', password=SecretStr('{HIDDEN}'), age=7)"
    assert redact_text("db:5432:shop:bo:hunter2\n") == f"db:5432:shop:bo:{HIDDEN}\n"
    assert redact_text("C: AUTH PLAIN AGJvAGh1\nS: 235") == f"C: AUTH PLAIN {HIDDEN}\nS: 235"
    assert redact_text("dsn=https://ab12@h/1") == f"dsn=https://{HIDDEN}@h/1"


def test_a_name_is_found_far_into_a_text_and_however_it_is_spelt():
    filler = "the parcel has not come; " * 400
    rules = Rules(("customerNo", "Kundenschlüssel"))
    for name in ("customer_no", "CustomerNo", "kundenschlussel", "DB_URL", "webhook-url", "密码"):
        text = f"{filler}{name}=bo:hunter2{filler}"
        assert SECRET not in redact_text(text, rules), name
    assert SECRET not in redact_text(f"İ{filler}password=hunter2")


def test_every_name_with_a_strength_has_a_stem():
    """Texts are looked through only around stems."""
    spelt = [between.join(words) for words in names._PHRASES for between in ("", "_", "-", " ")]
    known = [*names._STRONG, *names._WEAK, *names.languages.ENDINGS, *spelt]
    known += [f"{vendor}_key" for vendor in names._VENDORS]
    missed = [
        name
        for name in known
        if Rules().strength(name) is not names.Strength.NONE
        and not any(stem in name.lower() for stem in names.STEMS)
    ]
    assert len(known) > 300
    assert missed == []
