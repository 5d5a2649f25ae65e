"""The demo's panel: each command that it offers is one, and as whom it is offered."""

import re
from types import SimpleNamespace

from demo import day as module
from demo.breaking import NO_BOT, REFUSING, WEBHOOK, tell_killed, tell_rescued
from demo.day import Day
from demo.stage import NED, ROLES

from jobs_maint.grammar import parse_words


def test_every_step_offers_commands_that_parse_and_its_person_may_send_them():
    day = Day()
    roles = {"viewer": 0, "operator": 1, "admin": 2}
    for trial in day.trials:
        commands = re.findall(r"`/jobs ([^`]+)`", trial.step.text)
        assert commands, trial.step.title
        needed = [parse_words(text.split(), "slack").action.role for text in commands]
        held = roles[ROLES[trial.step.user]]
        is_refusal = trial.audited.startswith("outcome = 'refused'")
        assert (max(roles[one] for one in needed) > held) == is_refusal, trial.step.title
        assert {text.split()[0] for text in commands}.issuperset(trial.commands)
        assert trial.rows <= len(commands)
    assert NED not in ROLES
    told = " ".join(trial.step.text for trial in day.trials)
    assert {"E-e310", "I-1", "request 5"} == set(re.findall(r"\b[EI]-\w+|request \d+", told))


async def test_nothing_breaks_by_itself_beside_a_person_who_breaks_things(monkeypatch):
    monkeypatch.setattr(module, "SCRIPT", [(one[0], 0, one[2]) for one in module.SCRIPT])
    released = []
    slack = SimpleNamespace(commands_sent=["/jobs stats"], clear_faults=lambda: None)

    def build_day():
        day = Day()
        day.stage = day.breaking.stage = SimpleNamespace(slack=slack, release=released.append)
        return day

    # Who only sends commands sees the deploy and no more; the stage could not lose a worker.
    day = build_day()
    await day._play()
    assert released == ["0.1"]
    assert day.panel.switches[WEBHOOK].on
    # A switch comes before all.
    slack.set_fault = lambda *_args, **_options: None
    day = build_day()
    await day.panel.turn(REFUSING)
    await day._play()
    assert released == ["0.1"]
    assert not day.panel.switches[WEBHOOK].on
    # Who does nothing is shown the rest, too.
    slack.commands_sent = []
    day = build_day()
    turned = []

    async def turn(label):
        turned.append(label)

    day.panel.turn = turn
    await day._play()
    assert turned == [label for *_, label in module.SCRIPT]


async def test_what_happens_while_the_bot_cannot_answer_says_so():
    day = Day()

    async def stop():
        pass

    async def start_bot(_env):
        return SimpleNamespace(stop=stop)

    slack = SimpleNamespace(clear_faults=lambda: None, set_fault=lambda *_args, **_options: None)
    stage = SimpleNamespace(slack=slack, release=lambda _seconds: None, start_bot=start_bot)
    day.stage = day.breaking.stage = stage
    await day.breaking._start_bot()
    said = []
    for label, on in [
        (WEBHOOK, True),
        (REFUSING, True),
        (WEBHOOK, False),
        (NO_BOT, True),
        (REFUSING, False),
        (WEBHOOK, True),
        (NO_BOT, False),
        (WEBHOOK, False),
    ]:
        await day.panel.turn(label, on)
        if label == WEBHOOK:
            said.append(day.panel.events[-1].text.rpartition(". ")[2])
    assert said[0] == "Then turn off the switch *webhook is broken* and retry the jobs."
    assert said[1] == "Slack refuses the bot's calls: turn *Slack answers 429* off first."
    assert said[2] == "The bot does not run: turn *The bot is stopped* off first."
    assert "first" not in said[3]


def test_the_guide_names_every_job_that_a_killed_worker_had():
    assert "in the middle of job 7, which stays" in tell_killed("worker-2 (pid 1)", [7])
    several = tell_killed("worker-2 (pid 1)", [7, 9])
    assert "in the middle of 2 jobs (7, 9), which stay" in several
    assert "`/jobs rescue 7 9` may put them back" in several
    assert tell_rescued([7]) == (
        "Job 7 was put back and has run to its end: `/jobs status 7`."
    )  # fmt: skip
    assert tell_rescued([7, 9]).startswith("2 jobs (7, 9) were put back and have run to their end")
