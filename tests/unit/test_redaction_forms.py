"""Forms, markup and what logins hand over: the secret is hidden, what stands around it is shown."""

from __future__ import annotations

import pytest

from jobs_maint.redaction import HIDDEN, redact_args, redact_text


@pytest.mark.parametrize(
    "text",
    [
        'form-data; name="user"\r\n\r\nbo\r\n--b\r\nform-data; name="password"\r\n\r\n…\r\n--b--',
        r"b'form-data; name=\"password\"\r\n\r\n…\r\n--b\r\nform-data; name=\"a\"\r\n\r\nc'",
        'form-data; name="secret"\nContent-Type: text/plain\n\n…\n--b\nmore',
        '<input name="user" value="bo"><input value="…" class="x" name="password">',
        "<setting name='ApiToken'><value>…</value></setting><setting name='Host'><value>a</value>",
        "%7B%22user%22%3A%22bo%22%2C%22password%22%3A%22…%22%2C%22a%22%3A1%7D",
        "https://a.example/reset-password?user=7&code=…&lang=de",
        "https://a.example/auth/google/callback?state=open&code=…&scope=email",
        '{"name":"A_TOKEN","slot":false,"value":"…"},{"name":"PORT","slot":false,"value":"80a1"}',
        '{"value":"80a1","name":"PORT"},{"value":"…","type":"b","name":"A_TOKEN"}',
        "x [{'loc': ('age',), 'input': 'elf11'}, {'loc': ('token',), 'msg': 'a', 'input': '…'}]",
        "ParameterKey=Token,ParameterValue=… ParameterKey=Size,ParameterValue=t3.micro",
        "grant_type=authorization_code&code=…&redirect_uri=https://a.example/cb",
        "tokens:\n  …\nport: 80",
        "E   AssertionError: assert '…' == 'x'\nE    +  where '…' = User(name='bo').password",
        "htpasswd -b -C 12 users bo … && systemctl reload nginx",
        "rabbitmqctl add_user bo … && echo done",
    ],
)
def test_only_the_secret_is_hidden(text):
    shown = text.replace("…", HIDDEN)
    if "assert '" in text:  # whose value it is, only the second line tells
        shown = shown.replace(f"assert '{HIDDEN}'", "assert 'q7Lm2Xw9'")
    secret = "- q7Lm2Xw9\n  - p8Kn3Yv0" if text.startswith("tokens") else "q7Lm2Xw9"
    assert redact_text(text.replace("…", secret)) == shown


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (
            {"grant_type": "authorization_code", "code": "SplxlOBeZQ7"},
            {"grant_type": "authorization_code", "code": HIDDEN},
        ),
        (
            {"redirectUri": "https://a.example", "code": "E1042"},
            {"redirectUri": "https://a.example", "code": "E1042"},
        ),
        ({"code": "SplxlOBeZQ7"}, {"code": "SplxlOBeZQ7"}),
        (
            {"id": "a7", "name": "DB_PASSWORD", "slot": False, "value": "blauwal"},
            {"id": "a7", "name": "DB_PASSWORD", "slot": False, "value": HIDDEN},
        ),
        (
            {"ParameterKey": "DBPassword", "ParameterValue": "blauwal"},
            {"ParameterKey": "DBPassword", "ParameterValue": HIDDEN},
        ),
        (
            [{"loc": ["body", "password"], "input": {"a": "b"}}, {"loc": ["a"], "input": "b"}],
            [{"loc": ["body", "password"], "input": HIDDEN}, {"loc": ["a"], "input": "b"}],
        ),
        ({"user_code": "WDJBMJHT"}, {"user_code": HIDDEN}),
        (
            ["/usr/bin/htpasswd", "-nb", "bo", "geheim9"],
            ["/usr/bin/htpasswd", "-nb", "bo", HIDDEN],
        ),
        (["htpasswd", "-b", "users", "bo"], ["htpasswd", "-b", "users", "bo"]),
        (["rabbitmqctl", "add_user", "bo", "x9"], ["rabbitmqctl", "add_user", "bo", HIDDEN]),
    ],
)
def test_a_code_of_a_login_and_a_password_given_to_a_command_are_hidden_in_arguments(args, shown):
    assert redact_args(args) == shown
