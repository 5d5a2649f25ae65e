"""The fixed scenario: each step is played on real parts, checked, and printed as conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from demo.stage import ADA, ANA, OPS, VIC, Stage
from demo.talk import Talk
from local_slack import LocalSlackControl, as_text

STATUS = "SELECT status::text FROM procrastinate_jobs WHERE id = %s"
OLD = "SELECT count(*) FROM procrastinate_events WHERE at < now() - interval '30 days'"


class CheckFailedError(Exception):
    """A step did not come out as promised."""


class Play:
    def __init__(self, stage: Stage, slack: LocalSlackControl) -> None:
        self.stage = stage
        self.slack = slack
        self.talk = Talk(slack)
        self.checks = 0

    def check(self, sentence: str, *, holds: object) -> None:
        if not holds:
            raise CheckFailedError(sentence)
        self.checks += 1
        print(f"  ✓ {sentence}")

    async def until(
        self, sentence: str, look: Callable[[], Awaitable[Any]], seconds: float = 30
    ) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := await look()):
            if time.monotonic() > deadline:
                raise CheckFailedError(f"not within {seconds:.0f} s: {sentence}")
            await asyncio.sleep(0.1)
        await self.talk.show_new()
        self.check(sentence, holds=True)
        return found

    async def answer(self, user: str, text: str, words: str, *, private: bool = False) -> str:
        """Type a command, and wait for the answer that contains `words`."""
        before = {m.ts for m in await self.slack.messages(OPS, as_user=user)}
        await self.talk.say(user, text)

        def fits(message: Any) -> bool:
            return (
                message.ts not in before
                and message.kind == "message"
                and words in f"{message.text}\n{as_text(message)}"
                and message.ephemeral == private
            )

        try:
            message = await self.slack.wait_for_message(OPS, fits, timeout=10, as_user=user)
        except TimeoutError as exc:
            raise CheckFailedError(f"{text!r} was not answered with {words!r}: {exc}") from exc
        await self.talk.show_new()
        return f"{message.text}\n{as_text(message)}"

    async def press(self, user: str, label: str, words: str) -> str:
        """Press a button of the channel, and wait for the message that then has `words`."""
        before = {m.ts: as_text(m) for m in await self.slack.messages(OPS, as_user=user)}
        if not await self.talk.click(user, label):
            raise CheckFailedError(f"the button [{label}] did nothing")

        def fits(message: Any) -> bool:
            return before.get(message.ts) != as_text(message) and words in as_text(message)

        try:
            message = await self.slack.wait_for_message(OPS, fits, timeout=10, as_user=user)
        except TimeoutError as exc:
            raise CheckFailedError(f"[{label}] brought no {words!r}: {exc}") from exc
        await self.talk.show_new()
        return as_text(message)

    async def query(self, statement: str, *params: Any) -> Any:
        rows = await self.stage.query(statement, *params)
        return rows[0][0] if rows else None

    async def has_status(self, job: int, status: str) -> bool:
        return bool(await self.query(STATUS, job) == status)


async def play(stage: Stage) -> int:
    """Play the scenario; returns the number of checks that held."""
    async with LocalSlackControl(stage.page_url) as slack:
        scene = Play(stage, slack)
        print("── jobs are deferred and run by a worker")
        await asyncio.gather(
            stage.run("-m", "demo.team_app", "seed", "--history", "200"),
            stage.start_bot(),
        )
        await stage.start_worker("worker", "email", "webhook", "reports", "maintenance")
        await jobs_fail(scene)
        await details_open(scene)
        await operator_retries(scene)
        await operator_retries_a_set(scene)
        await worker_dies(scene)
        await old_jobs_go(scene)
        await digest_arrives(scene)
        await admin_asks_the_doctor(scene)
        breaches = await slack.breaches()
        broken = "".join(f"\n    {breach}" for breach in breaches)
        scene.check(f"none of Slack's rules was broken{broken}", holds=not breaches)
        return scene.checks


async def jobs_fail(scene: Play) -> None:
    async def nothing_runs() -> bool:
        running = (
            "SELECT count(*) FROM procrastinate_jobs WHERE queue_name <> 'maintenance' AND"
            " (status = 'doing' OR (status = 'todo' AND scheduled_at IS DISTINCT FROM"
            " (SELECT max(scheduled_at) FROM procrastinate_jobs)))"
        )
        return not await scene.query(running)

    await scene.until("all jobs have run, some failed", nothing_runs)
    failed = await scene.query("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
    print("\n── /jobs stats shows where it hurts")
    text = await scene.answer(VIC, "/jobs stats", "webhook")
    scene.check(f"it tells that {failed} jobs failed", holds=str(failed) in text)
    print("\n── /jobs failed shows them by their error")
    text = await scene.answer(VIC, "/jobs failed", "ConnectTimeout")
    rows = await scene.stage.query(
        "SELECT job_id, exception_type FROM jobs_maint_failures f"
        " JOIN procrastinate_jobs j ON j.id = f.job_id WHERE j.status = 'failed'",
    )
    scene.check(
        "every failed job is there, under its error",
        holds=rows and all(str(job) in text and error in text for job, error in rows),
    )
    print("\n── /jobs errors groups them by reason")
    text = await scene.answer(VIC, "/jobs errors", "for 4 new reasons")
    groups = ("3 × deliver_webhook", "2 × send_email", "1 × build_report", "1 × import_prices")
    scene.check("each group is counted", holds=all(group in text for group in groups))


async def details_open(scene: Play) -> None:
    print("\n── Details opens a job in a modal")
    if not await scene.talk.click(VIC, "Details 1"):
        raise CheckFailedError("the button [Details] did nothing")
    try:
        view = await scene.slack.wait_for_view(
            VIC, lambda view: "Traceback" in as_text(view), timeout=10
        )
    except TimeoutError as exc:
        raise CheckFailedError(f"no modal with the traceback: {exc}") from exc
    await scene.talk.show_new()
    text = as_text(view)
    error = text.splitlines()[2]
    scene.check("the error comes first", holds="🔴" in error and "Timeline" in text)
    await scene.talk.close(VIC)


async def operator_retries(scene: Play) -> None:
    job = await scene.query(
        "SELECT min(id) FROM procrastinate_jobs"
        " WHERE status = 'failed' AND args ->> 'failures' = '1'"
    )
    print("\n── a viewer may not retry")
    await scene.answer(VIC, f"/jobs retry {job}", "You may not retry jobs", private=True)
    refused = "SELECT count(*) FROM jobs_maint_audit WHERE outcome = 'refused' AND actor_id = %s"
    scene.check("the job is still failed", holds=await scene.has_status(job, "failed"))
    scene.check("the refusal is audited", holds=await scene.query(refused, VIC) == 1)
    print("\n── an operator may")
    await scene.answer(ANA, f"/jobs retry {job}", "retried")
    await scene.until("the job then succeeds", lambda: scene.has_status(job, "succeeded"))


async def operator_retries_a_set(scene: Play) -> None:
    print("\n── a set is shown first, and runs when its button is pressed")
    once = (
        "SELECT count(*) FROM procrastinate_jobs"
        " WHERE queue_name = 'webhook' AND args ->> 'failures' = '1'"
        " AND task_name LIKE '%%deliver_webhook' AND status = %s"
    )
    text = await scene.answer(ANA, "/jobs retry --all webhook", "Retry 2 failed jobs of webhook?")
    scene.check("it says who can confirm", holds=f"@{ANA} can confirm" in text)
    scene.check("nothing has happened yet", holds=await scene.query(once, "failed") == 2)
    text = await scene.press(ANA, "Retry 2 jobs", "2 jobs of webhook retried by")
    scene.check("its message tells the outcome, without buttons", holds="[" not in text)

    async def all_succeeded() -> bool:
        return bool(await scene.query(once, "succeeded") == 3)

    await scene.until("both jobs then succeed", all_succeeded)


async def worker_dies(scene: Play) -> None:
    print("\n── a worker is killed in the middle of a job")
    doomed = await scene.stage.start_worker("doomed", "ledgers")
    job = await scene.stage.defer_ledger("ledgers")

    async def named() -> Any:
        query = "SELECT count(*) FROM jobs_maint_workers WHERE %s = ANY (job_ids)"
        return await scene.query(query, job)

    await scene.until(f"job {job} runs and its worker says so", named)
    doomed.kill()
    print(f"  kill -9 {doomed.popen.pid}")
    await scene.stage.start_worker("heir", "ledgers")
    await scene.until("the job is rescued and finishes", lambda: scene.has_status(job, "succeeded"))
    await scene.answer(ANA, f"/jobs status {job}", "succeeded", private=True)


async def old_jobs_go(scene: Play) -> None:
    print("\n── the purge deletes jobs older than 30 days")

    async def gone() -> bool:
        return not await scene.query(OLD)

    await scene.until("the 200 old jobs are gone", gone)
    deleted = "SELECT sum((counts ->> 'succeeded')::int) FROM jobs_maint_audit WHERE word = 'purge'"
    purged = await scene.query(deleted)
    scene.check(f"the audit counts them: {purged}", holds=purged == 200)


async def digest_arrives(scene: Play) -> None:
    print("\n── the digest arrives in #ops")

    async def sent() -> bool:
        query = "SELECT count(*) FROM jobs_maint_digests WHERE state = 'sent'"
        return bool(await scene.query(query))

    await scene.until("Slack accepted a digest and its window is closed", sent, seconds=45)
    messages = await scene.slack.messages(OPS, as_user=VIC)
    heads = [m for m in messages if m.thread_ts in {None, m.ts}]
    digests = [m for m in heads if m.metadata and "digest" in str(m.metadata)]
    scene.check("it stands in the channel", holds=digests and "failed" in digests[-1].text)


async def admin_asks_the_doctor(scene: Play) -> None:
    print("\n── /jobs doctor tells an admin whether the set-up is sound")
    text = await scene.answer(ADA, "/jobs doctor", "checks are fine")
    scene.check("it finds no error", holds="🔴" not in text and "Error:" not in text)
