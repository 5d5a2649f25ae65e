import re
from datetime import timedelta

import pytest

from jobs_maint.durations import (
    format_age,
    format_duration,
    format_span,
    parse_duration,
    parse_window,
    respell_duration,
)
from jobs_maint.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * 86_400),
        ("12h", 43_200),
        ("5m", 300),
        ("90s", 90),
        ("2w", 14 * 86_400),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        ("0.25s", 0.25),
        (" 30D ", 30 * 86_400),
        ("0s", 0),
        ("36500d", 36_500 * 86_400),
    ],
)
def test_a_number_and_a_unit_is_a_duration(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_never_is_no_duration_at_all():
    assert parse_duration("never") is None
    assert format_duration(None) == "never"


@pytest.mark.parametrize(
    "text",
    ["", " ", "30", "d", "-5m", "3 months", "1y", "1e3s", "٣d", "30d!", "0x10s", "1..5h", "nan",
     "inf", "5m\n5m", "30d never"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InvalidRequest, match=r"not a duration; write .* 30d, 12h, 5m or 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("1M", "1m for minutes, 30d for"), ("1d6M", "6m for minutes, 180d"), ("2 M", "2m for")],
)
def test_a_capital_m_may_be_a_month_and_is_refused(text, said):
    with pytest.raises(InvalidRequest, match=f"may be minutes or months: write {said}"):
        parse_duration(text)
    assert parse_duration("1H") == timedelta(hours=1)
    with pytest.raises(InvalidRequest, match="did you mean 5m"):
        parse_duration("5Min")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("7days", "7d"), ("2 Hours", "2h"), ("30min", "30m"), ("1 hour 30 minutes", "1h30m"),
     ("30 d", "30d"), ("90 secs", "90s"), ("1.5 weeks", "1.5w")],
)  # fmt: skip
def test_a_unit_that_is_spelt_out_is_named_as_it_is_written(text, meant):
    with pytest.raises(InvalidRequest, match=f"is not a duration; did you mean {meant}\\?$"):
        parse_duration(text)
    assert parse_duration(meant)


@pytest.mark.parametrize("text", ["0 days", "40000 days", "7", "7d", "days", "7 or 8 days"])
def test_no_other_span_is_suggested(text):
    assert respell_duration(text) is None


@pytest.mark.parametrize("text", ["36501d", "999999999w", "99999999999999999999d", "36500d1s"])
def test_more_than_a_hundred_years_is_refused_and_never_overflows(text):
    with pytest.raises(InvalidRequest):
        parse_duration(text)


def test_what_is_formatted_reads_back_as_the_same_duration():
    milliseconds = [1, 250, 999, 1_000, 1_001, 59_999, 60_000, 61_500, 3_599_999, 3_600_000]
    milliseconds += [
        day * 86_400_000 + rest for day in (1, 6, 7, 30, 400) for rest in (0, 1, 61_001)
    ]
    milliseconds += [step**5 for step in range(1, 300)]
    for count in milliseconds:
        span = timedelta(milliseconds=count)
        assert parse_duration(format_duration(span)) == span, count


def test_formatting_is_the_shortest_text():
    assert format_duration(timedelta(days=30)) == "30d"
    assert format_duration(timedelta(hours=1, minutes=30)) == "1h30m"
    assert format_duration(timedelta()) == "0s"


@pytest.mark.parametrize("text", ["never", "0s", "0d"])
def test_a_window_is_longer_than_nothing_and_has_an_end(text):
    with pytest.raises(InvalidRequest, match="not a span of time"):
        parse_window(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "< 0.1 s"),
        (0.42, "0.4 s"),
        (8.2, "8 s"),
        (99, "99 s"),
        (840, "14 min"),
        (10_800, "3 h"),
        (172_800, "2 d"),
        (40 * 86_400, "40 d"),
    ],
)
def test_an_age_is_one_number_and_one_unit(seconds, text):
    assert format_age(seconds) == text
    assert format_age(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.2, "8 s"), (90, "90 s"), (100, "1 min 40 s"), (282, "4 min 42 s"), (297, "5 min"),
        (300, "5 min"), (3_600, "60 min"), (9_000, "2 h 30 min"), (86_400, "24 h"),
        (129_600, "36 h"), (475_200, "5 d 12 h"), (604_800, "7 d"), (215_990, "2 d 12 h"),
    ],
)  # fmt: skip
def test_a_window_is_told_as_what_was_asked_for(seconds, text):
    assert format_span(seconds) == text


def test_an_age_never_grows_past_three_digits_within_years():
    for step in range(400):
        text = format_age(1.05**step if step < 350 else 26e6)
        assert re.fullmatch(r"\d{1,3}(\.\d)? (s|min|h|d)", text), text
