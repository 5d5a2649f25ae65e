"""Links to runbooks: in messages about one task, and in those about several."""

from dataclasses import replace

from chatbot.messages.details import render_details_view
from chatbot.messages.result import render_result
from chatbot.messages.runbooks import find_runbook
from chatbot.setup import sample_reports as samples

HOOKS = "https://wiki.example.com/hooks"
MAIL = "https://wiki.example.com/mail"
BOOKS = {"*webhook*": HOOKS, "email": MAIL, "team.*": "https://wiki.example.com/team"}


def links(blocks):
    return [
        (button["text"]["text"], button["url"])
        for block in blocks
        for button in block.get("elements", ())
        if "url" in button
    ]


def shown(report):
    message = render_result(report, "/jobs", by="U0ANA", runbooks=BOOKS)
    ids = [
        b["action_id"]
        for block in message.blocks
        for b in block.get("elements", ())
        if "action_id" in b
    ]
    assert len(ids) == len(set(ids))
    return links(message.blocks)


def test_a_glob_is_of_the_full_or_short_name_of_a_task_or_else_of_a_queue():
    assert find_runbook(BOOKS, "team.tasks.deliver_webhook", ["email"]) == HOOKS
    assert find_runbook(BOOKS, "deliver_webhook") == HOOKS
    assert find_runbook(BOOKS, "other.send", ["email"]) == MAIL
    assert find_runbook(BOOKS, "other.send", ["reports"]) is None
    assert find_runbook({"deliver_webhook": HOOKS}, "team.tasks.deliver_webhook") == HOOKS
    assert find_runbook({}, "team.tasks.deliver_webhook") is None


def test_every_group_that_failed_and_every_job_links_to_its_runbook():
    failed = samples.failed_differently()
    assert shown(failed)[0] == ("Runbook", HOOKS)
    assert len(shown(failed)) == len(failed.groups)
    assert shown(samples.errors())[0][1] == HOOKS
    assert shown(samples.details()) == [("Runbook", HOOKS)]
    view = render_details_view(samples.details(), channel="C0OPS", runbooks=BOOKS)
    assert links(view["blocks"]) == [("Runbook", HOOKS)]


def test_a_digest_has_one_button_for_each_runbook_of_its_groups():
    digest = samples.digest()
    alike = replace(digest, groups=digest.groups[:1])
    assert shown(alike) == [("Runbook", HOOKS)]
    several = shown(digest)
    assert several[0] == ("Runbook deliver_webhook", HOOKS)
    assert 2 <= len(several) <= 3
    assert len({link for _, link in several}) == len(several)


def test_without_runbooks_there_is_no_button():
    assert links(render_result(samples.failed(), "/jobs", by="U0ANA").blocks) == []
