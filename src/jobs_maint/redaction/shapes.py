"""Secrets that are known by their shape, whatever stands before them."""

from __future__ import annotations

import math
import re
from collections import Counter

__all__ = ["CARD", "EMAIL", "KNOWN", "UUID", "WEBHOOK", "is_card", "is_random", "looks_secret"]

_A = "[A-Za-z0-9]"
_W = "[A-Za-z0-9_-]"
_UUID_FORM = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FORMS = (
    # Forges
    rf"gh[oprsu]_{_A}{{20,}}", r"gt[aor]_[a-z0-9]{32,}", r"github_pat_\w{20,}",
    rf"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|soat|imt|agent|oas|ffct|wt|d)-{_W}{{16,}}(?:\.[\w.-]+)?",
    r"AT(?:ATT|CTT|BB)[A-Za-z0-9_=-]{16,}", r"AZDO\w{10,}|[a-z2-7]{52}(?![a-z2-7])",
    # Registries
    rf"npm_{_A}{{20,}}", rf"pypi-{_W}{{16,}}", r"rubygems_[a-f0-9]{32,}", rf"cio{_A}{{32}}",
    rf"dckr_[op]at_{_W}{{16,}}", r"oy2[a-z0-9]{43}", rf"AKC{_A}{{10,}}", rf"cmVmd{_A}{{20,}}",
    r"packagist_\w{20,}", r"CLOJARS_\w{20,}", rf"hf_{_A}{{20,}}", rf"api_org_{_A}{{20,}}",
    # Clouds
    r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{12,}", rf"AIza{_W}{{30,}}",
    rf"ya29\.{_W}{{16,}}(?:\.[\w-]+)*", rf"GOCSPX-{_W}{{16,}}", rf"1//0{_W}{{20,}}",
    r"[\w~.]{3}\dQ~[\w~.-]{31,}", rf"LTAI{_A}{{12,}}", rf"AKID{_A}{{13,}}",
    r"do[opr]_v1_[a-f0-9]{32,}", rf"HRKU-{_W}{{20,}}", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{100,}",
    r"fo1_[\w-]{20,}", r"fm[12][ar]?_[\w+/=,-]{20,}",
    rf"(?:rnd|nfp|vcp|vck|sbp|napi|tskey){_W}{{20,}}",
    r"sb_(?:secret|publishable)_[\w-]{16,}", r"pscale_(?:tkn|pw|oauth)_[\w.=-]{16,}",
    r"dapi[a-f0-9]{32}(?:-\d)?", r"dp\.(?:pt|st|ct|scim|audit|sa)\.[\w.-]{16,}",
    r"hv[bsr]\.[\w-]{20,}", rf"(?<![\w.])s\.{_A}{{24}}(?!{_A})",
    rf"{_A}{{14}}\.atlasv1\.[\w=-]{{20,}}", r"pul-[a-f0-9]{32,}", r"ops_eyJ[\w-]{20,}",
    # Services
    r"gl(?:sa|c)_[A-Za-z0-9_+/=]{20,}", rf"NR(?:AK|II|IQ|RA|AA|JS|SP|BR)-?{_W}{{16,}}",
    r"sntry[su]_[A-Za-z0-9_+/=-]{20,}", r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"key-[a-z0-9]{32}(?![a-z0-9])",
    r"[a-f0-9]{32}-us\d{1,2}", r"SK[a-f0-9]{32}", rf"(?:sk|rk)_(?:live|test|prod)_{_A}{{10,}}",
    r"whsec_[A-Za-z0-9+/=]{16,}", r"sq0[a-z]{3}-[\w-]{20,}", rf"EAA{_A}{{30,}}",
    r"shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{20,}", r"xox[a-z](?:\.xox[a-z])?-[\w.%-]{8,}",
    r"xapp-[\w-]{8,}", r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}", r"\d{8,10}:AA[\w-]{30,}",
    r"sk-(?=[\w-]{0,40}\d)[\w-]{20,}",
    r"(?:gsk|r8|pplx|xai|fw|nvapi|ntn|csk|tgp)[-_][A-Za-z0-9_-]{20,}",
    rf"secret_{_A}{{40,}}", rf"lin_(?:api|oauth)_{_A}{{20,}}", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
    r"fig[duo]r?_[\w-]{20,}", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", r"A3-[A-Z0-9]{6}-[A-Z0-9-]{20,}",
    r"sq[pua]_[a-f0-9]{40}", r"CCI(?:PAT|PRJ)_[\w-]{20,}", r"bk(?:ua|aj|rt)_[\w-]{20,}",
    r"dt0[a-z]\d\d\.[A-Z0-9]{20,}\.[A-Z0-9]{40,}", r"CFPAT-[\w-]{20,}", r"E[ZP][AT]K[\w-]{40,}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{40,}", r"phx_\w{20,}", r"(?:shippo|rdme|ion|dop|dor)_\w{20,}",
    r"eyJ[\w-]{8,}(?:\.[\w+/=-]*){0,4}", r"rpa_\w{20,}", r"pk_\d+_[A-Z0-9]{30,}",
    r"00[A-Za-z0-9_-]{40}(?![\w-])", r"live_[a-f0-9]{35}", r"access_token\$\w+\$\w+\$\w+",
    rf"access-(?:sandbox|development|production)-{_UUID_FORM}", r"[012]/\d{10,}:[a-f0-9]{32}",
    rf"pat-[a-z]{{2}}\d-{_UUID_FORM}", r"R0(?:[A-F0-9]{30}|[a-f0-9]{30})(?![A-Za-z0-9])",
    r"sgp_(?:(?:local|[a-f0-9]{16})_)?[a-f0-9]{40}", r"API-[A-Z0-9]{25,27}(?![A-Z0-9-])",
    r"ico-[A-Za-z0-9]{32}", r"fio-u-[\w-]{64}", r"sl\.(?:u\.|B)[\w-]{100,}", rf"waka_{_UUID_FORM}",
    r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}", rf"re_{_A}{{8}}_{_A}{{24}}", r"fc-[a-f0-9]{32}",
    r"tvly-[A-Za-z0-9-]{20,}", rf"apify_api_{_A}{{20,}}", rf"nf[bcou]_{_A}{{36}}",
    r"md-[\w-]{22}(?![\w-])",
    r"pk_[a-f0-9]{34}", r"ATTA[a-f0-9]{64}", r"aio_[A-Za-z]{4}\d{2}[A-Za-z0-9]{22}",
    r"dnkey-[\w-]{26,}",
    r"sha256~[\w-]{43}", r"cf[aku]t_[\w-]{40,}",
    r"[ps]at\.[\w-]{22}\.[a-f0-9]{24}\.\w{20}", r"AQVN[\w-]{35,38}", r"y[01]_[\w-]{50,}",
)  # fmt: skip
KNOWN = re.compile(rf"(?<![A-Za-z0-9])(?=[\w.~:$+/=%-]{{12}})(?:{'|'.join(_FORMS)})")
"""Tokens of the ten forges and registries used most, of clouds and of services: by prefix."""

WEBHOOK = re.compile(
    r"""(
      hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/
    | discord(?:app)?\.com/api/(?:v\d+/)?webhooks/
    | webhook\.office\.com/webhookb2/ | outlook\.office(?:365)?\.com/webhook/
    | api\.telegram\.org/(?:file/)?bot
    | hooks\.zapier\.com/hooks/(?:catch|standard)/
    | maker\.ifttt\.com/ | hc-ping\.com/ | webhook\.site/ | hook\.[\w.]{0,20}make\.com/
    | events\.pagerduty\.com/integration/
    | open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/\w+/hook/
    | api\.opsgenie\.com/v1/json/integrations/webhooks?/
    | alert\.victorops\.com/integrations/generic/\d+/alert/
    | /services/(?=[TE][A-Z0-9]{6,}/B) | /(?:workflows|triggers)/(?=[TE][A-Z0-9]{6,}/)
    | /api/(?:v\d+/)?webhooks/(?=\d{15,}/) | /bot(?=\d{6,}:[\w-]{20}) | /webhookb2/(?=[0-9a-f]{8}-)
    | (?<=/)hooks/(?=[a-z0-9]{20,}|[A-Za-z0-9]{10,}/[A-Za-z0-9]{20,})
    )[^\s"'<>()|,]+""",
    re.VERBOSE,
)
"""Addresses whose path is the secret."""

EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")

UUID = re.compile(_UUID_FORM, re.IGNORECASE)
_WRITTEN = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}(?![a-z])|\d{4}")
_ID = re.compile(
    r"(?:req|cus|pi|ch|evt|in|sub|price|prod|pm|cs|acct|txn|si|seti|src|card|ba|po|re|dp|msg|run"
    r"|thread|asst|file|job|chatcmpl|resp|user|org|proj|batch|call|toolu|inst|i|pk_live|pk_test)[_-]"
)


def is_random(word: str, digits: int = 3) -> bool:
    """A token no person would write: letters of both cases with digits, evenly mixed."""
    if UUID.fullmatch(word) or sum(char.isdigit() for char in word) < digits or _ID.match(word):
        return False
    if not (re.search(r"[a-z]", word) and re.search(r"[A-Z]", word)):
        return False
    if sum(map(len, _WRITTEN.findall(word))) > 0.7 * len(word):  # CamelCaseNames2024
        return False
    counts = Counter(word).values()
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
    return entropy > 3.7


def looks_secret(value: str) -> bool:
    """Whether the value of `key=`, `session=`, `auth=` is more than a number or a word."""
    if UUID.fullmatch(value):
        return True
    letters = any(char.isalpha() for char in value)
    digits = sum(char.isdigit() for char in value)
    if not letters or not digits:
        return len(value) >= 16 and not re.fullmatch(r"[a-z_.:/ -]+|\d+|[A-Z_]+", value)
    return len(value) >= 6 and not re.match(r"[a-z]+[:_/.-]", value)


def is_card(digits: str) -> bool:
    """Luhn's check, and a first digit that cards have."""
    numbers = [int(char) for char in digits if char.isdigit()]
    if not 13 <= len(numbers) <= 19 or numbers[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = [
        n if i % 2 == 0 else (n * 2 - 9 if n > 4 else n * 2) for i, n in enumerate(numbers[::-1])
    ]
    return sum(doubled) % 10 == 0
