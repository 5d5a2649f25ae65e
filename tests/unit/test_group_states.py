"""What a group of errors is called: new, back after a while, rising, ongoing or quiet."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs_maint.operations.failures.states import Known, get_group_state

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def known(first, last, returned=None, quiet=None):
    returned_at = None if returned is None else SINCE + returned
    seconds = None if quiet is None else quiet.total_seconds()
    return Known("E-4f2a", ("2:a",), SINCE + first, SINCE + last, returned_at, seconds)


@pytest.mark.parametrize(
    ("group", "first", "counts", "state"),
    [
        (None, HOUR, (3, 0), ("new", None)),
        (None, HOUR, (3, 2), ("ongoing", None)),
        (None, HOUR, (9, 2), ("rising", None)),
        (None, None, (0, 2), ("quiet", None)),
        (known(HOUR, 2 * HOUR), HOUR, (3, 0), ("new", None)),
        (known(-9 * DAY, 2 * HOUR), HOUR, (3, 0), ("ongoing", None)),
        (known(-9 * DAY, 2 * HOUR), HOUR, (9, 2), ("rising", None)),
        (known(-9 * DAY, 2 * HOUR, HOUR, 6 * DAY), HOUR, (3, 0), ("regressed", 6 * DAY)),
        (known(-9 * DAY, 2 * HOUR, -HOUR, 6 * DAY), HOUR, (3, 1), ("ongoing", None)),
        # It came back a moment ago, and no pass has counted that yet.
        (known(-9 * DAY, -3 * DAY), HOUR, (3, 0), ("regressed", 3 * DAY + HOUR)),
        # A nightly task that fails each night does not come back each night.
        (known(-9 * DAY, -23 * HOUR), 2 * HOUR, (1, 1), ("ongoing", None)),
        (known(-9 * DAY, -DAY), None, (0, 0), ("quiet", None)),
    ],
)
def test_the_state_of_a_group_in_a_span(group, first, counts, state):
    at = None if first is None else SINCE + first
    found, seconds = get_group_state(
        group, since=SINCE, count=counts[0], count_before=counts[1], first_at=at, error_at=None
    )
    quiet = None if state[1] is None else state[1].total_seconds()
    assert (found, seconds) == (state[0], quiet)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (-SECOND, "new"),  # the end of its job is in the span
        (20 * SECOND, "ongoing"),  # it failed before, a moment ago
    ],
)
@pytest.mark.parametrize("back", [False, True])
def test_it_is_new_or_back_in_one_span_alone_however_short_they_are(back, error, state):
    group = known(-9 * DAY, HOUR, -SECOND, 6 * DAY) if back else known(-SECOND, HOUR)
    first = max(SINCE, SINCE + error)
    found, _ = get_group_state(
        group, since=SINCE, count=1, count_before=0, first_at=first, error_at=SINCE + error
    )
    assert found == ("regressed" if back and state == "new" else state)
