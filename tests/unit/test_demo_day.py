"""The demo's panel: each command that it offers is one, and as whom it is offered."""

import re

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
