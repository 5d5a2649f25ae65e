"""Links that reset, verify, invite or share: the token is hidden, what it is for is shown."""

from __future__ import annotations

import pytest

from jobs_maint.redaction import HIDDEN, redact_text

HASH = "4a26446ff8031034e968a5e30be1a2f8"
SIGNED = "1rAbCd:kZ3xQ9vB2mN7pL4wT8yR1cF6hJ0gD5sA-uE_iO3oXqY"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        (f"/accounts/reset/MQ/dir1ug-{HASH}/", "/accounts/reset/MQ/…/"),
        (f"/password/reset/key/1-c8x9zq-{HASH}/", "/password/reset/key/…/"),
        (f"/accounts/confirm-email/MQ:{SIGNED}/", "/accounts/confirm-email/…/"),
        (f"/email/verify/48213/{HASH}?expires=17", "/email/verify/48213/…?expires=17"),
        (f"/invite/team/{HASH}", "/invite/team/…"),
        (f"/magic/bo/{HASH}?next=/", "/magic/bo/…?next=/"),
        (f"/unsubscribe?u=7&h={HASH}", "/unsubscribe?u=7&h=…"),
        (f"/calendar/ical/bo%40x/private-{HASH}/basic.ics", "/calendar/ical/bo%40x/private-…"),
        ("/share/0b5a3d2e-8f0c-4f0e-9d2f-0a1b2c3d4e5f", "/share/…"),
        (f"/login?next=%2Freset%2FMQ%2Fdir1ug-{HASH}%2F", "/login?next=%2Freset%2FMQ%2F…%2F"),
        (rf"\/reset\/MQ\/dir1ug-{HASH}\/", r"\/reset\/MQ\/…\/"),
    ],
)  # fmt: skip
def test_the_token_of_a_link_is_hidden_and_whose_it_is_is_shown(link, shown):
    text = "see https://shop.example{} in the mail"
    assert redact_text(text.format(link)) == text.format(shown.replace("…", HIDDEN))


@pytest.mark.parametrize(
    "link",
    [
        "/accounts/reset/MQ/set-password/", f"/login/commit/{HASH}", f"/login/static/{HASH}.js",
        f"/feedback/{HASH}", "/share/2026-11-28/export_0001.csv", f"/img/hero.png?h={HASH}",
        "/signup/step-2-of-3", "/verify/orders/10023455", "/invites/48213/members",
    ],
)  # fmt: skip
def test_a_link_without_a_token_is_shown(link):
    assert redact_text(f"https://shop.example{link}") == f"https://shop.example{link}"
