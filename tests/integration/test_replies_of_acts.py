"""Acts on real jobs by nothing but what the buttons of their messages carry."""

from __future__ import annotations

import pytest
from tests.support.history import days

from chatbot.messages import render_acts, render_bulk, render_preview, render_purge
from jobs_maint.actions import Actor, ConfirmSelection, Grant, Role
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import ActReport, PurgeReport
from jobs_maint.perform import Watch, perform
from jobs_maint.settings import MaintSettings
from local_slack.blocks import check_blocks

ANA = Actor("slack", "U0ANA", "ana", "C0OPS", (Grant(Role.ADMIN),))


@pytest.fixture
def ana(pool):
    return Person(pool)


class Person:
    """Types words and presses buttons; the message that came last is in `message`."""

    def __init__(self, pool):
        self._pool = pool
        self.message = None

    async def type(self, words):
        request = parse_words(split_text(words), "slack")
        result = await self._ask(request.action)
        render = render_acts if isinstance(result, ActReport) else render_preview
        self._show(render(result, "/jobs", by="U0ANA"))

    async def press(self, label):
        await self.type(self.carries(label))

    async def confirm(self, label, **options):
        key, _, words = self.carries(label).partition(" ")
        report = await self._ask(ConfirmSelection(key), **options)
        if isinstance(report, PurgeReport):
            self._show(render_purge(report, "/jobs", by="U0ANA", words=words))
        else:
            self._show(render_bulk(report, "/jobs", by="U0ANA"))

    def carries(self, label):
        """What the button with this label carries."""
        labels = {
            element["text"]["text"]: element["value"]
            for block in self.message.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }
        assert label in labels, (label, labels, self.message.text)
        return labels[label]

    async def _ask(self, action, **options):
        return await perform(self._pool, ANA, action, settings=MaintSettings(), **options)

    def _show(self, message):
        check_blocks(message.blocks)
        self.message = message


async def states(make_job, jobs):
    return [await make_job.status(job) for job in jobs]


@pytest.mark.parametrize(("verb", "before"), [("discard", "failed"), ("cancel", "todo")])
async def test_a_set_is_put_back_by_the_button_of_its_outcome(ana, make_job, verb, before):
    jobs = [await make_job(status=before, queue="two words") for _ in range(3)]
    other = await make_job(status="cancelled", queue="two words")
    await ana.type(f'{verb} --all "two words"')
    await ana.confirm(f"{verb.capitalize()} 3 jobs")
    assert ana.message.text.startswith("✅ 3 jobs of two words ")
    assert await states(make_job, jobs) == ["cancelled"] * 3
    await ana.press("Put 3 jobs back")
    assert ana.message.text.startswith("Put 3 cancelled jobs back into two words?")
    await ana.confirm("Put 3 jobs back")
    assert ana.message.text.startswith("✅ 3 jobs put back into two words by")
    assert await states(make_job, jobs) == ["todo"] * 3
    assert await make_job.status(other) == "cancelled"


@pytest.mark.parametrize(("verb", "before"), [("discard", "failed"), ("cancel", "todo")])
async def test_one_job_is_put_back_by_the_button_of_its_outcome(ana, make_job, verb, before):
    job = await make_job(status=before)
    await ana.type(f"{verb} {job}")
    assert await make_job.status(job) == "cancelled"
    await ana.press("Put 1 job back")
    await ana.confirm("Put 1 job back")
    assert await make_job.status(job) == "todo"


async def test_what_the_preview_promises_is_what_the_outcome_tells(ana, make_job):
    await make_job(status="failed", queueing_lock="a", queue="webhook")
    held = await make_job(status="failed", queueing_lock="b", queue="webhook")
    await make_job(queueing_lock="b", queue="webhook")
    await ana.type("retry --all webhook")
    why = "a job with the same queueing lock is already waiting"
    assert f"1 of the 2 stays failed (job {held}): {why}." in ana.message.text
    await ana.confirm("Retry 1 job")
    assert ana.message.text.startswith("✅ 1 job of webhook retried by <@U0ANA>")
    assert f"1 skipped (job {held}): job " in ana.message.text


async def test_a_cancel_tells_cancelled_jobs_from_those_asked_to_abort(ana, make_job):
    jobs = [await make_job(queue="email"), await make_job(status="doing", queue="email")]
    await ana.type("cancel --all email --running")
    assert (
        "1 is waiting and will be cancelled; 1 is running and will be asked to abort."
        in ana.message.text
    )
    await ana.confirm("Cancel or abort 2 jobs")
    assert "1 job of email cancelled" in ana.message.text
    assert "1 more is running; its worker was asked to abort it." in ana.message.text
    await ana.press("Put 1 job back")
    await ana.confirm("Put 1 job back")
    assert await states(make_job, jobs) == ["todo", "doing"]


async def test_after_a_stop_the_button_previews_exactly_the_rest(ana, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'app.mail', 'failed' FROM generate_series(1, 700)"
    )
    await ana.type("retry --all email")
    watch = Watch(lambda _looked, _total: watch.stop())
    await ana.confirm("Retry 700 jobs", watch=watch)
    assert ana.message.text.startswith(
        "🟡 Stopped: 500 email jobs retried by <@U0ANA>, 200 stay failed."
    )
    await ana.press("Preview the rest")
    await ana.confirm("Retry 200 jobs")
    assert ana.message.text.startswith("✅ 200 jobs of email retried")
    left = await conn.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
    assert await left.fetchone() == (0,)


async def test_an_outcome_names_the_queues_of_what_was_done_not_of_what_others_had_taken(
    ana, make_job
):
    await make_job(status="failed", queue="mail")
    taken = await make_job(status="failed", queue="web")
    await ana.type("retry --all")
    assert ana.message.text.startswith("Retry 2 failed jobs of 2 queues?")
    preview = ana.message
    await ana.type(f"retry {taken}")
    ana.message = preview
    await ana.confirm("Retry 2 jobs")
    assert ana.message.text.startswith("✅ 1 job of mail retried by <@U0ANA>")


async def test_a_purge_deletes_what_its_red_button_says(ana, make_job):
    old = await make_job(status="succeeded", finished_ago=days(40))
    young = await make_job(status="succeeded", finished_ago=days(1))
    await ana.type("purge --older-than 30d")
    await ana.confirm("Delete 1 job")
    assert ana.message.text.startswith("✅ 1 job deleted by <@U0ANA>")
    assert await states(make_job, [old, young]) == [None, "succeeded"]
