from __future__ import annotations

import pytest

from jobs_maint.spelling import ask_meant, find_nearest


@pytest.mark.parametrize(
    ("typed", "known", "near"),
    [
        ("webhok", ["email", "webhook"], ["webhook"]),
        ("emial", ["email", "mail"], ["email"]),  # two swapped are one wrong
        ("webs", ["web", "webhook"], ["web"]),
        ("maintenence", ["maintenance"], ["maintenance"]),
        ("maintenense", ["maintenance"], ["maintenance"]),
        ("maintenensy", ["maintenance"], []),
        ("report", ["import"], []),
        ("web3", ["web2", "web1", "web"], ["web", "web1", "web2"]),
        ("web3", ["web1", "web2", "web4", "web5"], []),
        ("reportz", ["reports", "report-2", "imports"], ["reports"]),
        ("me", ["mute"], []),
        ("-x", ["-h"], []),
        ("", ["a"], []),
    ],
)
def test_only_the_nearest_are_meant_and_none_that_is_far_off(typed, known, near):
    assert find_nearest(typed, known) == near


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("E-9009", ["E-9008"]),
        ("E-7a6c", ["E-7a6d"]),
        ("E-9o8", []),
        ("E-909e", ["E-909d"]),
        ("E-90d", ["E-909d"]),
    ],
)
def test_another_group_is_meant_by_one_wrong_character_alone(typed, near):
    known = ["E-909d", "E-9008", "E-87ac", "E-7a6d"]
    assert find_nearest(typed, known, most=1) == near


def test_what_is_equally_near_is_asked_about_together():
    assert ask_meant(["a", "b"]) == "; did you mean a or b?"
    assert ask_meant([]) == ""
