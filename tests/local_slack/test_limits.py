import pytest

from local_slack import ControlError
from local_slack.faults import Faults
from local_slack.limits import RateLimiter


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


def test_a_channel_takes_a_burst_then_one_message_a_second():
    clock = Clock()
    limiter = RateLimiter(clock, burst=3)

    assert [limiter.retry_after_post("C1") for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 0.9
    assert limiter.retry_after_post("C1") == 1
    clock.now += 0.1
    assert limiter.retry_after_post("C1") == 0
    assert limiter.retry_after_post("C1") == 1


def test_each_channel_has_its_own_limit():
    limiter = RateLimiter(Clock(), burst=1)

    assert limiter.retry_after_post("C1") == 0
    assert limiter.retry_after_post("C2") == 0
    assert limiter.retry_after_post("C1") == 1


def test_a_quiet_channel_never_saves_more_than_its_burst():
    clock = Clock()
    limiter = RateLimiter(clock, burst=2)
    limiter.retry_after_post("C1")
    clock.now += 3600

    assert [limiter.retry_after_post("C1") for _ in range(3)] == [0, 0, 1]


def test_a_method_is_limited_by_its_tier_per_minute():
    clock = Clock()
    limiter = RateLimiter(clock, burst=1)

    answers = [limiter.retry_after_call("usergroups.users.list", 20) for _ in range(21)]

    assert answers == [0] * 20 + [3]
    clock.now += 3
    assert limiter.retry_after_call("usergroups.users.list", 20) == 0


async def test_a_fault_meets_its_method_and_channel_as_often_as_asked():
    faults = Faults()
    faults.add("500", method="chat.postMessage", channel="C1", times=2)

    assert faults.take("chat.update", "C1") is None
    assert faults.take("chat.postMessage", "C2") is None
    assert faults.take("chat.postMessage", "C1").kind == "500"
    assert faults.take("chat.postMessage", "C1").kind == "500"
    assert faults.take("chat.postMessage", "C1") is None


async def test_faults_come_in_the_order_they_were_set():
    faults = Faults()
    faults.add("429", retry_after=7)
    faults.add("500")

    assert faults.take("auth.test", None).retry_after == 7
    assert faults.take("auth.test", None).kind == "500"


async def test_cleared_faults_never_happen():
    faults = Faults()
    faults.add("500", times=9)
    faults.clear()

    assert faults.take("auth.test", None) is None


async def test_an_unknown_fault_is_refused():
    with pytest.raises(ControlError, match="there is no fault '418'; the faults are: 429, 500"):
        Faults().add("418")
    with pytest.raises(ControlError, match="at least once, not 0 times"):
        Faults().add("500", times=0)
