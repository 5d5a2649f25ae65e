"""Redaction measured: samples of secrets and of innocents as people paste them, all made up."""

from __future__ import annotations

import json
import random
import re
import string
import time
from pathlib import Path

import pytest

from jobs_maint.redaction import HIDDEN, Rules, redact_args, redact_text

DATA = Path(__file__).parents[1] / "data"
_ALPHABETS = {
    "b": string.ascii_letters + string.digits,
    "h": "0123456789abcdef",
    "l": "abcdefghijklmnopqrstuvwxyz234567",
    "u": string.ascii_uppercase + "0123456789",
    "d": string.digits,
    "x": string.ascii_letters + string.digits + "+/",
}
PIECE = 5
"""So many letters of a secret in a row are half a secret."""


def _read(name: str) -> list[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines):
        if not line or line.startswith("#"):
            continue
        chance = random.Random(f"{name} {number}")

        def make(match: re.Match[str], chance=chance) -> str:
            letters = _ALPHABETS[match[1]]
            return "".join(chance.choice(letters) for _ in range(int(match[2])))

        found.append(re.sub(r"\{([bhludx])(\d+)\}", make, line))
    return found


def _redact(sample: str) -> str:
    """As text, or as arguments when it is JSON."""
    if sample[0] in "{[":
        try:
            return json.dumps(redact_args(json.loads(sample)), ensure_ascii=False)
        except ValueError:
            pass
    return redact_text(sample.replace("\\n", "\n").replace("\\\n", "\\n"))


def _pieces(secret: str) -> list[str]:
    for part in secret.replace("\\n", "\n").split("\n"):
        yield from (part[i : i + PIECE] for i in range(max(1, len(part) - PIECE + 1)))


def _is_missed(line: str) -> str | None:
    secrets = re.findall("«([^»]*)»", line)
    shown = _redact(re.sub("[«»]", "", line))
    around = re.sub("«[^»]*»", " ", line)
    for secret in secrets:
        for piece in _pieces(secret):
            if (
                piece.strip()
                and len(piece) >= min(PIECE, 3)
                and piece in shown
                and piece not in around
            ):
                return shown
    if not secrets and HIDDEN not in shown:
        return shown
    return None


def test_99_of_100_secrets_are_hidden_whole():
    lines = _read("redaction_secrets.txt")
    missed = [f"{line}\n  → {shown}" for line in lines if (shown := _is_missed(line)) is not None]
    assert len(lines) >= 300
    assert len(missed) <= len(lines) * 0.01, "\n".join(missed)


def test_98_of_100_innocents_are_shown_as_they_are():
    lines = _read("redaction_innocents.txt")
    hidden = [
        f"{line}\n  → {_redact(line)}"
        for line in lines
        if HIDDEN in _redact(line).replace("[redacted]" if "[redacted]" in line else "\0", "")
    ]
    assert len(lines) >= 150
    assert len(hidden) <= len(lines) * 0.02, "\n".join(hidden)


def test_addresses_and_cards_are_hidden_only_where_that_is_set():
    text = "mail ada.b+c@shop.example, card 4111 1111 1111 1111, order 4111 1111 1111 1112"
    assert redact_text(text) == text
    found = redact_text(text, Rules(pii=True))
    assert found == f"mail {HIDDEN}, card {HIDDEN}, order 4111 1111 1111 1112"
    assert redact_args({"to": ["ada@shop.example"]}, Rules(pii=True)) == {"to": [HIDDEN]}


@pytest.mark.parametrize("quotes", ["''", '""', "``", "“”", "„“", "«»", "‘’", "‚‘"])
def test_all_that_stands_in_quotes_is_hidden(quotes):
    begin, end = quotes
    for name in ("password", "passphrase", "api_key"):
        text = f"{name}: {begin}{{}}{end}, user=bob"
        assert redact_text(text.format("two words")) == text.format(HIDDEN)


@pytest.mark.parametrize("quotes", ["''", '""', "``", "“”", "«»"])
def test_what_stands_in_quotes_over_lines_is_hidden_where_they_are_closed(quotes):
    begin, end = quotes
    text = f"{{{{password: {begin}{{}}{end}, user: 7}}}}\nit isn't"
    for lines in ("a1\nb2", "a1\n\nb2 c3\n", "a\n" * 20):
        assert redact_text(text.format(lines)) == text.format(HIDDEN)
    assert redact_text(f"password: {begin}a1\nb2 c3") == f"password: {begin}{HIDDEN}\nb2 c3"
    long = f"password: {begin}a1{{}}\nb2{end}"
    assert redact_text(long.format("\n" * 20)) != f"password: {begin}{HIDDEN}{end}"


def test_a_quote_that_opens_another_text_or_is_an_apostrophe_closes_none():
    for text in ("password='…\nuser='bo'", "password='…\nit isn't so", 'password: "…\nf("x")'):
        assert redact_text(text.replace("…", "a1")) == text.replace("…", HIDDEN)


def test_names_of_the_deployment_count_in_arguments_and_in_texts():
    rules = Rules(("customer_no",))
    assert redact_args({"customerNo": 17, "n": 1}, rules) == {"customerNo": HIDDEN, "n": 1}
    assert redact_text("customer_no=17 n=1", rules) == f"customer_no={HIDDEN} n=1"


SHOWN = """Traceback (most recent call last):
  File "/app/tasks.py", line 12, in login
    password = prompt
  File "/app/tasks.py", line 30, in send
    user, token = pair if pair else previous  # from the cache
ValueError: """


def test_the_source_lines_of_a_traceback_are_shown():
    assert redact_text(SHOWN + "no pair") == SHOWN + "no pair"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('password = "letmein"', f'password = "{HIDDEN}"'),
        ("pin = 4711", f"pin = {HIDDEN}"),
        ("x = 1  # password: letmein", f"x = 1  # password: {HIDDEN}"),
        ('password = get("DB_PASSWORD", "letmein")', f'password = get("DB_PASSWORD", "{HIDDEN}")'),
        ('password = os.getenv("PW") or "letmein"', f'password = os.getenv("PW") or "{HIDDEN}"'),
        ("key = b64decode('c2VjcmV0IGtleQ0=')", f"key = b64decode('{HIDDEN}')"),
        ('password = f"letmein2{suffix}"', f'password = f"{HIDDEN}"'),
    ],
)
def test_a_secret_that_is_written_in_a_source_line_is_hidden(line, shown):
    text = SHOWN + 'no pair\n  File "/app/x.py", line 3, in f\n    {}\nKeyError: 1'
    assert redact_text(text.format(line)) == text.format(shown)
    assert redact_text(line) == shown


def test_a_line_after_a_traceback_is_no_source_line():
    text = SHOWN + "password=letmein\n    password = letmein"
    assert redact_text(text) == SHOWN + f"password={HIDDEN}\n    password = {HIDDEN}"
    config = 'File "/etc/app.ini", line 3\n    password = '
    assert redact_text(config + "letmein") == config + HIDDEN


def test_passwords_of_any_signs_are_hidden_without_quotes():
    """Also those that look like a call, an item or an attribute."""
    chance = random.Random(7)
    signs = string.ascii_letters + string.digits + "()[]{}.$@!#%^*+-_?~|<>/:"
    shown = []
    for _ in range(3_000):
        password = chance.choice(signs[:52]) + "".join(
            chance.choices(signs, k=chance.randint(7, 19))
        )
        name = chance.choice(["password", "DB_PASSWORD", "secret", "api_key", "access_token"])
        between = chance.choice(["=", ": ", " = ", ":"])
        text = f"user=bo {name}{between}{password} host=x"
        if password in redact_text(text):
            shown.append(text)
    assert len(shown) <= 30, "\n".join(shown)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ('call setPassword("hunter2") failed', 'call setPassword("…") failed'),
        ("set_password('hunter2')", "set_password('…')"),
        ('user.setPassword("bo", "hunter2")', 'user.setPassword("bo", "…")'),
        ('change_password("hunter1", "hunter2")', 'change_password("…")'),
        ("user.set_password(b'hunter2', commit=False)", "user.set_password(b'…', commit=False)"),
        ('  .user("bo").password("hunter2").build()', '  .user("bo").password("…").build()'),
        ('.apiKey("k1w1mang0")', '.apiKey("…")'),
    ],
)
def test_what_a_setter_or_a_builder_is_given_is_hidden(call, shown):
    assert redact_text(call) == shown.replace("…", HIDDEN)


def test_each_row_of_an_insert_hides_the_columns_of_secrets():
    text = (
        "INSERT INTO users (name, password, at) VALUES ('bo', '{}', now()), ('al', NULL, 'x'),"
        " ('it''s', crypt('{}', gen_salt('bf')), 'y'), ('ed', '{}"
    )
    assert redact_text(text.format("geheim1", "two (words", "it''s, cut")) == text.format(
        *[HIDDEN] * 3
    )


def test_hiding_twice_changes_nothing_more():
    for line in _read("redaction_secrets.txt"):
        once = redact_text(re.sub("[«»]", "", line))
        assert redact_text(once).count(HIDDEN) <= once.count(HIDDEN) + 1


def test_what_is_nested_deeper_than_is_shown_says_so():
    deep: object = "end"
    for _ in range(900):
        deep = [{"a": deep}]
    shown = json.dumps(redact_args({"x": deep}))
    assert "nested deeper than is shown" in shown
    assert "end" not in shown


@pytest.mark.parametrize(
    "piece",
    [
        "a", "-", "a=", "a.", "<a>", "<password a=", "&lt;password&gt;", "token: a\n", "x@a.",
        "://b:b@", "b:b@", "AAAA    ", "A\n", "-----BEGIN PRIVATE KEY-----", "key='a',", "a -p'a",
        "-----END PRIVATE KEY-----", "password: [", "password={'", 'Cookie: a="', "mysql -p'",
        "Key (token)=(", "eyJaaaaaaaa.", "login a password ", "password for a", "password='a",
        '\\"password\\":\\"\\\\', "sha1-", "4 ", "aA1_", "\\\\n", "password=,a", "''",
        "AUTH PLAIN ", "AUTH a ", "334 a\n", "USER a\n", "USER a\nPASS ", "a:5432:b:", ":5432:",
        "auth ", "auth", "Secret('", "Secret(", "a_key '", "mot de passe ", "a1 LOGIN a ",
        "key\u0130", "USER \\n", "secret=A(",
        "key=(", "session=(", "\\ntoken=", "USER a PASS a ", "ftp PASS a1bcdef ",
        "Digest a response=", "\ntoken\n A input_value=", "password (a)", "login code: 1",
        "Sensitive[a]('", "1234 is your ", "/a-reset-a/", "/reset/reset/a1b2", "?t=a1b2c3",
        "password for a is ", "with password ", "PIN 1234 ", "/s/Ab1", "PASS letmei",
        "password=“", "passphrase: ‘a’", "seed phrase: a ", 'password was "a ', "pass phrase",
        "token = f(", "token = f(a)", "token = f(a, 'b', ", "token = [", "token = (a, ",
        "token: {a", "token = a.b.", "token = a or ", "token = a->", 'token=f"{', "password=`$",
        "a, token = b, ",
        "INSERT INTO a (password) VALUES ('", "INSERT INTO a (token) VALUES ('a'), (b(", "('a'),",
        "insert into a (", "insert into a (password) values ('a'), ('a'),", "VALUES (a(", "('',",
        '  File "a.py", line 1, in a\n    token = a\n', '  File "a.py", line 1\n', "    a\n",
        "a.setpassword('", 'variable "token" { ', "new PDO('a', 'b', '", "jwt.sign(a, '", "crypt('",
        "api key a1", "no such secret: a/", ":param token: a ", "token: A ", "echo a | ", "<<<",
        "--password-stdin ", "passwd --stdin", "echo passwd ",
        "/reset/MQ/", "/reset/a", "/a-a-reset", "%2Freset%2FMQ", "/reset/a.a:a", "/s/\\/", "/a_a/",
        "/reset/MQ/a1b2c3-", "?h=a1b2c3d4e5f6", "setPassword('a', ", "set_password(", ".password('",
        "setPassword('a', 'b', ", "? params=[", "token=? args=(", "[parameters: ((", "token = $1 ",
        '"SELECT token=?", ', "'SELECT ", '"UPDATE ', "args=('a', ", "token=? args=('a', (",
        "parameters: $1 = 'a', ", "insert into a (token) select a ", "token=? args=[('a'), ",
        "Engine UPDATE token=%s args=(1) ", "characters cut … token=? args=('", "args=([[[[",
        "\n… 1 characters cut …\n", "password='a\n… 1 characters cut …\n",
        "password='\n", "password='a\n",
        "insert into a (password) values ('a'), (\n… 1 characters cut …\n", "://a:", "://a:a\n… 1 ",
        "copy a (token) from stdin\na\n", "copy a (", "password=“\n", "invalid token a1",
        "token a1 is ",
        "user a password ", "credentials a/1", "password -> ", "otp 1234", "password is: a",
        'form-data; name="password"\n\n', "form-data; name=token\nA: a", "form-data; name=a",
        "form-data; name=token\\n\\n", "<a value=", "<a name='token' value='", "%22token%22%3A%22",
        "%22a", "%252", "/reset?code=a1", "?code=a1b2c3", "&key=a1b2c3 ", "%26code%3Da1b2c3",
        "reset%3Fid%3Da1b2c3d4e5", "htpasswd -b a ", "rabbitmqctl add_user ", "rabbitmqctl ",
        "net use \\\\a\\a ", "net use ", "smbclient -U a%", "smbclient ", "'a' == token ",
        "'a' == ", "where 'a' = a.", "tokens:\n- a1bcdef\n", "token:\n- ", "- a\n",
        "<entry><string>a</string>", "<setting name='token'>", "<setting name='a'",
        '"name":"token",', '"name":"token","a":1,', '"value":"a",', '"value":"a","a":[1],',
        '"name":"token","value":[', '"name":"token","value":"', '"input":"', '"input":{"a":',
        '"input":1,"loc":["a"', '"loc":["token"],', '"loc":["a",', '"loc":["token"],"input":{"',
        '"value":"a\\', '"a":{"a":1},"name":"token",', '\\"value\\":\\"a\\",',
        "user_code=BCDFGHJ", "value: ", "'loc'", "ParameterKey=token,",
        "vault login ", "sqlplus a/", "userid=a/", "net user a ", "kind: Secret\ndata:\n",
        "kind: Secret\n", "stringData:\n a: b\n", '"kind":"Secret","data":{', "- data:\n",
        "://a:a/@", "://a:a@a/@", "fly secrets set a=", "['vault', ",
        "'a', 'vault', ", " data:\n", "kubectl create secret a --from-literal=a=b ",
        "exec.py a:b ", "snmpget -c ", "lftp -u ", "npm set token ", "token: a b ", "Cookie: a a ",
        "rman a ", "secret set a ", "bw unlock ", "encrypt_string --a b ", "connect a/", "exp a/a@",
        "code=a1b2c3&grant_type=", "code=a1b2c3 ", "assertion=a1", "<key>token</key> ",
    ],
)  # fmt: skip
def test_a_text_made_to_take_long_takes_four_times_as_long_when_four_times_as_long(piece):
    def measure(length: int) -> float:
        text = piece * (length // len(piece))
        begun = time.thread_time()
        redact_text(text, Rules(pii=True))
        return time.thread_time() - begun

    most = 9 * min(measure(4_000) for _ in range(3)) + 0.01
    assert any(measure(16_000) < most for _ in range(3))  # the first that is tells enough
