"""What addresses, tools and manifests hold is hidden; what is only said of a secret is shown."""

from __future__ import annotations

import pytest

from jobs_maint.redaction import HIDDEN, redact_args, redact_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://jobs:p@ss/w0:rd#x@db:5432/jobs", "postgresql://…@db:5432/jobs"),
        ("redis://:a@b/c#@cache:6379/0, retrying", "redis://…@cache:6379/0, retrying"),
        ("https://bo:p@ss/w@git.example.com/a.git", "https://…@git.example.com/a.git"),
        ("https://bo:pw@git.example.com/@types/x", "https://…@git.example.com/@types/x"),
        ("postgresql://bo:p@x/1@db/a?user=a@b", "postgresql://…@db/a?user=a@b"),
        ("postgres://a:b@c/d,postgres://e:f@g/h", "postgres://…@c/d,postgres://…@g/h"),
        ("smtp://me@x.example:M#l/1@mx.example:25", "smtp://…@mx.example:25"),
        ("postgresql://jobs:two words@db/jobs", "postgresql://…@db/jobs"),
        ("vault login k1w1mango", "vault login …"),
        ("sqlplus scott/t1ger@db", "sqlplus scott/…@db"),
        ("userid=scott/t1ger", "userid=scott/…"),
        ("impacket-wmiquery corp/ana:k1w1@h", "impacket-wmiquery corp/ana:…@h"),
        ("snmpwalk -v2c -c k1w1 h", "snmpwalk -v2c -c … h"),
        (
            "Command '['vault', 'login', 'k1w1mango']' failed",
            "Command '['vault', 'login', '…']' failed",
        ),
        (
            "kubectl create secret generic s --from-literal=a=k1w1 --from-literal=b=mango",
            "kubectl create secret generic s --from-literal=a=… --from-literal=b=…",
        ),
        (
            "kind: ConfigMap\ndata:\n  a: b\n---\ndata:\n  a: azF3\n  b: |\n    c\nkind: Secret\n",
            "kind: ConfigMap\ndata:\n  a: b\n---\ndata:\n  …\nkind: Secret\n",
        ),
        (
            'a {"kind":"ConfigMap","data":{"a":"b"}} {"data":{"a":"b"},"kind":"Secret"}',
            'a {"kind":"ConfigMap","data":{"a":"b"}} {"data":…,"kind":"Secret"}',
        ),
    ],
)
def test_what_an_address_a_tool_or_a_manifest_holds_is_hidden(text, shown):
    assert redact_text(text) == shown.replace("…", HIDDEN)


def test_a_command_or_a_manifest_in_arguments_hides_the_same():
    words = ["sqlplus", "-s", "scott/two words@db", 7]
    assert redact_args(words) == ["sqlplus", "-s", f"scott/{HIDDEN}@db", 7]
    secret = {"kind": "Secret", "data": {"a": "azF3MQ=="}, "metadata": {"name": "s"}}
    assert redact_args(secret) == {**secret, "data": HIDDEN}
    assert redact_args({**secret, "kind": "ConfigMap"}) == {**secret, "kind": "ConfigMap"}


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/path/user@example.com",
        "http://[::1]:8080/a/b@c",
        "https://a.example?mail=bo@b.example",
        "JWT: alg none not allowed, kid=2026-01",
        "Invalid API key: check the dashboard",
        "secret: billing/stripe not found in vault",
        "Cookie: header too large",
        "kubectl create configmap c --from-literal=a=k1w1",
        "routing_key=orders.created",
        "sqlplus / as sysdba",
    ],
)
def test_what_only_tells_about_a_secret_is_shown(text):
    assert redact_text(text) == text


def test_a_value_that_ends_its_line_is_hidden_though_it_is_a_word():
    for name in ("token", "API key", "secret"):
        assert redact_text(f"{name}: letmein\nnext") == f"{name}: {HIDDEN}\nnext"
