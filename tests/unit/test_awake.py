"""A process that was suspended knows it when it reads what came meanwhile."""

from chatbot.runtime.awake import Awake


def test_it_knows_for_a_moment_for_how_long_it_slept():
    now = 1_000.0
    awake = Awake(lambda: now)
    now += 3_600.0
    assert awake.slept() == 0.0  # nobody has noted anything yet
    for _ in range(5):
        awake.note()
        now += 3.9
    assert awake.slept() == 0.0
    now += 67.0
    assert (awake.slept(), awake.slept()) == (67.0, 67.0)
    awake.note()
    now += 1.9
    assert awake.slept() == 67.0
    now += 0.2
    assert awake.slept() == 0.0
