"""Which names (argument keys, headers, options, variables) hold secrets."""

from __future__ import annotations

import enum
import re

from jobs_maint.redaction import languages

__all__ = ["STEMS", "Strength", "find_stem", "get_strength", "is_other_code", "split"]


class Strength(enum.Enum):
    NONE = 0
    WEAK = 1
    """The value decides: `session=3`, `key=user:7`, `pass: 12` are no secrets."""
    COUNTABLE = 2
    """A secret unless its value is a number: `tokens=4096`."""
    STRONG = 3
    LINE = 4
    """Like STRONG, and an unquoted value goes to the end of its line."""
    ALWAYS = 5
    """Named by the deployment: hidden whatever the value is."""


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")

_STRONG = frozenset(
    """password passwords passwd passphrase passcode pwd pw secret secrets token tokens
    credential credentials creds cookie cookies jwt otp totp cvv cvc iban ssn apikey apikeys
    authorization pgpassword sessid xauth passkey dsnpassword mnemonic pswd psw passw""".split()  # noqa: SIM905  a list of words to read
)
_PHRASES = (
    tuple(
        tuple(phrase.split())
        for phrase in """api key;api keys;access key;access keys;private key
    private keys;signing key
    secret key;encryption key;master key;account key;shared key;shared access key;service key
    auth key;license key;session id;session key;session token;card number;client secret;storage key
    client key data;client key
    server key;deploy key;ssh key;app key;application key;integration key;routing key secret
    webhook url;webhook uri;connection string;recovery code;recovery codes;backup codes;backup code
    seed phrase;recovery phrase;account number;security code;auth code;authorization code
    mfa code;verification code;totp code;pin code;credit card;consumer secret
    x amz signature;x goog signature;php sessid;sess id
    basic auth;oauth verifier;code verifier;tan code;refresh jwt;admin key;host key
    pre shared key;wpa psk;wifi key;symmetric key;hmac key;aes key;fernet key;jwt key
    security answer;login code;access code;unlock code;one time code;confirmation code
    activation code;sms code;reset code;magic link;unlock link;reset link
    primary connection;sas url;pass word;priv key;conn str
    conn string;connection str;backup phrase;pass phrase;saml response
    client assertion""".replace("\n", ";").split(";")
        if phrase.strip()
    )
    + languages.PHRASES
)
_VENDORS = frozenset(
    """adyen airtable algolia amplitude anthropic aws azure binance braintree claude cloudflare
    cohere coinbase datadog deepl deepseek discord facebook fcm firebase gemini github gitlab google
    grafana groq hcaptcha heroku honeycomb hubspot huggingface intercom mailchimp mailgun mandrill
    mapbox maps mistral mixpanel mollie newrelic nexmo notion openai opsgenie pagerduty paypal plaid
    postmark pusher recaptcha segment sendgrid sentry shopify slack sparkpost square stripe supabase
    telegram turnstile twilio vonage youtube zendesk""".split()  # noqa: SIM905  a list of words to read
)
"""Services whose key is a secret: `stripe_key`."""
_LINES = frozenset(["passphrase", "mnemonic", "phrase"])
_WEAK = frozenset(
    """pass key auth session sess sid sig signature csrf xsrf pin hmac code psk nonce salt
    authenticity state credentialid private bearer dsn assertion""".split()  # noqa: SIM905  a list of words to read
)
_SQUASHED = re.compile(
    r"""(?:^|[a-z])(?:password|passwd|passphrase|passcode|apikey|secretkey|accesskey|privatekey
    |signingkey|accountkey|sessionid|sessid|clientsecret|authtoken|accesstoken|refreshtoken
    |apitoken|bearertoken|idtoken|apisecret|appsecret|authkey|encryptionkey|masterkey
    |connectionstring|csrftoken|xsrftoken|sessiontoken|sessionkey|usertoken|bottoken|webhookurl
    |cardnumber|creditcard|credentials)$
    |^(?:password|passwd)(?:hash|confirm|confirmation|old|new|digest|again|repeat|salt)$
    |^(?:new|old|my|user|admin|root|db|app|client|shared|jwt|auth|oauth|bot|web)?secret$
    |^(?:db|database|smtp|user|usr|mysql|pg|postgres|redis|ftp|sftp|mail|root|admin|ldap|my|sql
       |http|https|proxy|login|email|(?:src|dest|new)?(?:key|store)|(?:key|trust)store|mongo|rabbit|amqp|imap|bind|old|new
       |auth|svc|service|app|web|cert|ssl|tls|zip|wifi)(?:pass|pwd|pw|psw|passw)$
    |^(?:auth|access|refresh|api|bearer|id|session|csrf|xsrf|user|bot|app|push|device|reset
       |verify|csrfmiddleware|github|gitlab|gh|npm|slack|jwt|login|sso|oauth|security|service|deploy|web
       )token$
    |^sess(?:ion)?(?:id|key)$""",
    re.VERBOSE,
)
_TELLS_ABOUT = frozenset(
    """out count counts type types length len limit limits size sizes budget usage used url uri urls
    endpoint expiry expires expiration expire expired ttl age at in name names policy policies
    field fields format path paths file files filename dir directory version required enabled
    disabled valid invalid validation validator rate bucket index idx pos position offset window
    cost price arn id ids provider manager store storage source class model kind status state
    error errors attempts strategy generator domain samesite consent banner min max strength
    score strict header prefix alg algorithm issuer audience scope scopes reader lifetime timeout
    interval created updated changed rotated last location ref reference total left remaining per
    second seconds minute day days hint method mode ok present missing found set exists auth am
    parser count tokenizer engine encoder decoder cache hits misses rotation rules label stdin
    fingerprint lange laenge longueur longitud level reset resets protected protection expected
    seen mismatch short long weak exception exceptions warning warnings mgr handler factory callback
    listener listeners middleware backend filter serializer mixin resolution response request
    attribute attributes characters chars taken option options argument parameter parameters are
    encryption hasher hashers compliance""".split()  # noqa: SIM905  a list of words to read
)
"""As the last word: the value tells about a secret and is none."""
_OTHER_KEYS = frozenset(
    """aggregate aggregation arrow batch binding blob bucket business cache candidate column
    composite correlation dedup dedupe deduplicate deduplication dict dictionary
    distribution document entity entry event feature filter flag foreign group grouping hash
    idempotence idempotency idempotent image index item job join lang language lock log lookup map
    menu message metric natural object order ordering page partition primary queue query range
    reference registry resource route routing row s search setting shard sort sorting
    surrogate table tag task throttle tracking translation type unique""".split()  # noqa: SIM905  a list of words to read
)
"""Before `key`: it names a place, a row or an order."""
_OTHER_CODES = frozenset(
    """area bar color country currency error exit http item language locale order post product qr
    reason response return source sql status zip""".split()  # noqa: SIM905  a list of words to read
)
_REFERRING = frozenset(["existing", "password", "pull", "tls"])
"""Before `secret`: the name of one in Kubernetes."""
_OF_A_MODEL = frozenset(
    """eos bos pad unk stop special mask sep cls page continuation pagination next prev cancellation
    skip sync public delimiter syntax unexpected invalid missing required change forgot
    cursor num n has is no use require requires needs with without allow enable show""".split()  # noqa: SIM905  a list of words to read
)
_COUNTED = frozenset(
    """max min total prompt completion input output used remaining cached reasoning avg new num
    n context""".split()  # noqa: SIM905  a list of words to read
)


_SWITCHES = frozenset(["has", "is", "no", "require", "requires", "show", "use"])
"""Before `password`."""


def is_other_code(word: str) -> bool:
    """`error code`, `zip code`"""
    return word.lower() in _OTHER_CODES


def split(name: str) -> list[str]:
    """`dbPassword`, `DB_PASSWORD` and `db-password` are the same two words."""
    return [word.lower() for word in _WORDS.findall(languages.fold(name))]


def find_stem(name: str) -> str:
    """The longest part that is in the name however it is spelt: `customer` of `customerNo`."""
    return max(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name), key=len, default=name).lower()


def get_strength(words: list[str]) -> Strength:
    """A name is secret when a word of it is, unless its last word only tells about the secret."""
    words = [word for word in words if not word.isdigit()] or words
    if not words:
        return Strength.NONE
    if "public" in words:
        return Strength.NONE
    if words[-1] == "header" and words[-2:-1] in (["auth"], ["authorization"]):
        return Strength.WEAK
    end = _find_secret(words)
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last in ("secret", "secrets") and before in _REFERRING:
        return Strength.NONE
    if not end:
        weak = tuple(words[-2:]) in _ADDRESSES or last in _WEAK or last in languages.WEAK
        others = {"key": _OTHER_KEYS, "code": _OTHER_CODES}.get(last, frozenset())
        weak = weak and before not in others
        return Strength.WEAK if weak else Strength.NONE
    if end < len(words) and last in _TELLS_ABOUT:
        return Strength.NONE
    if last in ("token", "tokens") and len(words) > 1 and words[-2] in _OF_A_MODEL:
        return Strength.NONE
    if "password" in words[1:] and words[0] in _SWITCHES:
        return Strength.NONE
    if last in ("tokens", "secrets", "cookies", "passwords", "credentials", "keys", "otp") or (
        last == "token" and words[0] in _COUNTED
    ):
        return Strength.COUNTABLE if last != "otp" else Strength.STRONG
    return Strength.LINE if _LINES.intersection(words) else Strength.STRONG


def _find_secret(words: list[str]) -> int:
    """The position after the last word that names a secret; 0 when none does."""
    for end in range(len(words), 0, -1):
        word = words[end - 1]
        if word in _STRONG or _SQUASHED.search(word) or word.endswith(languages.ENDINGS):
            return end
        if word == "key" and end > 1 and words[end - 2] in _VENDORS:
            return end
        if word.endswith("key") and word[:-3] in _VENDORS:
            return end
        if any(tuple(words[max(0, end - len(p)) : end]) == p for p in _PHRASES):
            return end
        if word in ("pass", "pw") and end > 1:
            return end
    return 0


_ADDRESSES = (("db", "url"), ("db", "uri"), ("database", "url"), ("database", "uri"))


def _list_stems() -> tuple[str, ...]:
    """The shortest texts of which at least one is in every name that has a strength."""
    words = {*_STRONG, *_WEAK, *languages.STEMS}
    more = "pass pwd pw psw key token sess credential creditcard answer link phrase webhook saml"
    words |= set(more.split())
    for phrase in (*_PHRASES, *_ADDRESSES):
        if not any(word in part for part in phrase for word in words):
            words |= {between.join(phrase) for between in ("", "_", "-", ".", " ")}
    return tuple(sorted(w for w in words if not any(o in w for o in words if o != w)))


STEMS = _list_stems()
