"""`take` and `mute`: how a group or an incident is named, and what is no name."""

from datetime import timedelta

import pytest

from jobs_maint.actions import (
    GetIncident,
    ListIncidents,
    MuteGroup,
    MuteIncident,
    TakeGroup,
    TakeIncident,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import parse_words, split_text

DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("typed", "action"),
    [
        ("take E-4f2a", TakeGroup("E-4f2a")),
        ("take e-4F2A", TakeGroup("E-4f2a")),
        ("take `E-4f2a`", TakeGroup("E-4f2a")),
        ("take #4711", TakeGroup(4711)),
        ("take E-4x2", TakeGroup("E-4x2")),  # a slip: who looks for it knows which is meant
        ("mute 4711 --for 2h", MuteGroup(4711, timedelta(hours=2))),  # refused with its group
        ("take E-4f2a --drop", TakeGroup("E-4f2a", drop=True)),
        ("mute E-4f2a", MuteGroup("E-4f2a", DAY)),
        ("mute E-4f2a --for 2h", MuteGroup("E-4f2a", timedelta(hours=2))),
        ("mute E-4f2a --above 50/h", MuteGroup("E-4f2a", None, 50)),
        ("mute E-4f2a --above 50 --for 2h", MuteGroup("E-4f2a", timedelta(hours=2), 50)),
        ("mute E-4f2a --off", MuteGroup("E-4f2a")),
        ("take I-7", TakeIncident(7)),
        ("take `i-7` --drop", TakeIncident(7, drop=True)),
        ("mute I-7", MuteIncident(7, DAY)),
        ("mute I-7 --for 2h", MuteIncident(7, timedelta(hours=2))),
        ("mute I-7 --off", MuteIncident(7, None)),
        ("incidents `i-7`", GetIncident(7)),
        ("incidents", ListIncidents()),
        ("incidents --since 2h", ListIncidents(timedelta(hours=2))),
    ],
)
@pytest.mark.parametrize("surface", ["shell", "slack"])
def test_what_is_typed_is_shown_taken_or_muted_and_reads_back(typed, action, surface):
    assert parse_words(split_text(typed), surface).action == action
    assert parse_words(split_text(action.words()), surface).action == action


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("take", "take takes the name of a group or of an incident; e.g. take E-4f2a"),
        ("take webhook", "'webhook' is not the name of a group"),
        ("take I-0", "'I-0' is not the name of a group or of an incident"),
        ("mute I-7 --above 5/h", "--above is for groups of errors"),
        ("mute E-4f2a --above many", "'many' is not a rate"),
        ("mute E-4f2a --above 0/h", "'0/h' is not a rate"),
        ("incidents E-4f2a", "'E-4f2a' is the name of a group of errors, not an incident"),
        ("incidents I-7 --since 2h", "takes an incident or --since, not both"),
        ("mute E-4f2a --off --for 2h", "mute --off takes neither --for nor --above"),
    ],
)
def test_what_is_no_name_or_no_rate_is_said(typed, says):
    with pytest.raises(InvalidRequest, match=says):
        parse_words(split_text(typed), "shell")
