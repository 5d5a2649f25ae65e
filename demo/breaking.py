"""The switches of the demo's page: what each breaks, and what is to be done about it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from demo.processes import Program, StageError
from demo.stage import ADA, SLOW_DISK, Stage
from local_slack import Panel, Switch
from local_slack.page.panel import Turn

WEBHOOK = "`webhook` is broken"
REFUSING = "Slack answers 429"
NO_BOT = "The bot is stopped"
KILL = "Kill a worker"
FLOOD = "Flood newsletter"
NO_WORKER = "No worker"

WORKERS = ("worker-1", "worker-2")
MAILS = 50_000
RETRY_AFTER = 5
"""Seconds that Slack asks to wait; the bot tries three times."""
RESTART_AFTER = 15.0
"""Seconds until a killed worker is started again, as a supervisor does."""
BEATS_WITHIN = 60.0

Tell = Callable[[str], None]


class Breaking:
    """Needs `stage` before a switch is turned."""

    stage: Stage
    panel: Panel

    def __init__(self) -> None:
        self.workers: dict[str, Program] = {}
        self.bot: Program | None = None
        self.turns = 0
        """How often a switch was turned, by the day or by a person."""
        self._paused = False
        """No worker is to run."""
        self._changing = {name: asyncio.Lock() for name in WORKERS}
        self._later: set[asyncio.Task[None]] = set()

    def build_switches(self) -> list[Switch]:
        switches = [
            Switch(WEBHOOK, "A deploy sets its time-out to 0.1 s; off: 10 s again.", self.webhook),
            Switch(KILL, "`kill -9`, in the middle of a job.", self.kill_worker, on=None),
            Switch(NO_WORKER, "Both are stopped; off: two start again.", self.stop_workers),
            Switch(FLOOD, f"{MAILS:,} mails at once, and two workers.", self.flood, on=None),
            Switch(REFUSING, f"To each call: “again in {RETRY_AFTER} s”.", self.refuse_calls),
            Switch(NO_BOT, "Off: it starts again.", self.stop_bot),
        ]
        for one in switches:
            one.turn = self._count(one.turn)
        return switches

    def _count(self, turn: Turn) -> Turn:
        async def count_and_turn(on: bool) -> None:
            self.turns += 1
            await turn(on)

        return count_and_turn

    async def start(self) -> None:
        """The bot and a worker; the second one comes a little later, or all would be slower."""
        first, second = WORKERS
        await asyncio.gather(self._start_bot(), self._start_worker(first))
        self._do_later(self._start_worker(second))

    async def webhook(self, on: bool) -> None:
        self.stage.release("0.1" if on else "10.0")
        self._tell(
            "A deploy broke `webhook` and its jobs fail. Send `/jobs stats` again to see"
            " that; `/jobs errors` says why. Then turn off the switch *webhook is broken* and retry"
            " the jobs."
            if on
            else "`webhook` is mended, new jobs succeed. What failed stays failed until somebody"
            " retries it with `/jobs retry --all webhook`."
        )

    async def refuse_calls(self, on: bool) -> None:
        if on:
            self.stage.slack.set_fault("429", times=1_000_000, retry_after=RETRY_AFTER)
            self.panel.tell(
                "Slack refuses every call of the bot. Ask `/jobs stats`: nothing comes, because the"
                " bot waits as long as Slack asks. Turn the switch off within"
                f" {RETRY_AFTER * 2} s and the answer comes as usual. After that the bot tries"
                " another way, and you alone may see the answer; in the end none comes, and only"
                " the bot's log says why."
            )
        else:
            self.stage.slack.clear_faults()
            self.panel.tell("Slack takes calls again.")

    async def stop_bot(self, on: bool) -> None:
        if on and self.bot is not None:
            stopped, self.bot = self.bot, None
            await stopped.stop()
            self.panel.tell(
                "The bot is stopped. Try `/jobs stats` and Slack itself says that nobody answered."
            )
        else:
            self.panel.tell(
                "The bot starts, which takes some seconds. Until it is back, commands fail as"
                " before."
            )
            await self._start_bot()
            self.panel.tell(
                "The bot is back, and knows all that it knew: its state is in the database."
            )

    async def kill_worker(self, _on: bool = True) -> None:
        if self._paused:
            raise StageError("No worker runs that could be killed: turn “No worker” off first.")
        job = await self.stage.defer_ledger("reports")
        rows = await self.until(
            lambda: self.stage.query(
                "SELECT pid, worker_id FROM jobs_maint_workers WHERE %s = ANY (job_ids)", job
            ),
            f"no worker took job {job}, which was to be killed, within {BEATS_WITHIN:.0f} s",
        )
        name, worker = next(
            (name, one) for name, one in self.workers.items() if one.popen.pid == rows[0][0]
        )
        worker.kill()
        del self.workers[name]
        running = await self.stage.query(
            "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %s"
            " ORDER BY id",
            rows[0][1],
        )
        jobs = [row[0] for row in running] or [job]
        self._tell(tell_killed(f"{name} (pid {worker.popen.pid})", jobs))
        self._do_later(self._watch_rescue(jobs))
        self._do_later(self._start_again(name))

    async def stop_workers(self, on: bool) -> None:
        self._paused = on
        if on:
            await asyncio.gather(*map(self._stop_worker, WORKERS))
            self._tell(
                "No worker runs any more, and jobs wait. You need not ask. The bot looks every"
                " 15 s and reports what it sees twice in a row as an *incident*. Its message"
                " comes to *#ops* within 40 s; press *I'm on it* there, then turn *No worker* off."
            )
        else:
            await asyncio.gather(*map(self._start_worker, WORKERS))
            self._tell(
                "Two workers run again. Once the bot has seen that twice, the incident's message"
                " turns green: within 40 s."
            )

    async def flood(self, _on: bool = True) -> None:
        self._tell(
            f"Marketing sends {MAILS:,} mails. Wait: a message here says when the queue has them."
        )
        await self.stage.run("-m", "demo.team_app", "newsletter", "--count", str(MAILS))
        effect = (
            "no worker runs, so they wait"
            if self._paused
            else "the workers are busy with them, and other queues wait, but not `webhook`, whose"
            " jobs have a higher priority"
        )
        self._tell(
            f"{MAILS:,} mails are in `newsletter` now: {effect}. `/jobs stats` shows how many wait,"
            " and how long the oldest of each queue has waited. ada, an admin, may cancel them:"
            " `/jobs cancel --all newsletter`. It takes long enough to press *Stop*.",
            user=ADA,
        )
        self._do_later(self._watch_flood())

    def _tell(self, text: str, *, user: str = "") -> None:
        """Also what keeps the bot from doing its part, if the text needs it."""
        needs_bot = "`/jobs" in text or "the bot" in text
        if needs_bot and self.bot is None:
            text += f" The bot does not run: turn *{NO_BOT}* off first."
        elif needs_bot and self.panel.switches[REFUSING].on:
            text += f" Slack refuses the bot's calls: turn *{REFUSING}* off first."
        self.panel.tell(text, user=user)

    async def _watch_rescue(self, jobs: list[int]) -> None:
        query = (
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM procrastinate_jobs"
            " WHERE id = ANY (%s) AND status IN ('todo', 'doing'))"
        )
        await self.until(lambda: self.stage.query(query, jobs))
        self._tell(tell_rescued(jobs))

    async def _watch_flood(self) -> None:
        query = (
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM procrastinate_jobs"
            " WHERE queue_name = 'newsletter' AND status = 'todo')"
        )
        await self.until(lambda: self.stage.query(query))
        self._tell("No mail of `newsletter` waits any more; the other queues catch up.")

    async def _start_again(self, name: str) -> None:
        await asyncio.sleep(RESTART_AFTER)
        try:
            started = await self._start_worker(name)
        except StageError as exc:
            self._tell(f"{name} did not start again: {str(exc).splitlines()[-1]}")
            return
        if started:
            self._tell(f"{name} runs again, as a supervisor would have it: `/jobs workers`.")

    async def _start_worker(self, name: str) -> bool:
        """Unless it runs already, or none is to run."""
        async with self._changing[name]:
            if self._paused or name in self.workers:
                return False
            self.workers[name] = await self.stage.start_worker(name)
            return True

    async def _stop_worker(self, name: str) -> None:
        async with self._changing[name]:
            if name in self.workers:
                await self.workers.pop(name).stop()

    async def _start_bot(self) -> None:
        self.bot = await self.stage.start_bot(SLOW_DISK)

    def _do_later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def until(self, look: Callable[[], Awaitable[Any]], failing: str = "") -> Any:
        """With `failing`, what is raised when it takes too long."""
        deadline = time.monotonic() + BEATS_WITHIN
        while not (found := await look()):
            if failing and time.monotonic() > deadline:
                raise StageError(failing)
            await asyncio.sleep(0.5)
        return found

    def close(self) -> None:
        for task in self._later:
            task.cancel()


def tell_killed(worker: str, jobs: Sequence[int]) -> str:
    one = len(jobs) == 1
    return (
        f"*kill -9*: {worker} is gone in the middle of {_name_jobs(jobs)}, which"
        f" {'stays' if one else 'stay'} “doing”. Wait a few seconds, then send `/jobs stuck`: it"
        f" says from when `/jobs rescue {' '.join(map(str, jobs))}` may put"
        f" {'it' if one else 'them'} back."
        f" If you do nothing, another worker does so within a minute."
    )


def tell_rescued(jobs: Sequence[int]) -> str:
    one = len(jobs) == 1
    was, whose = ("was put back and has", "its") if one else ("were put back and have", "their")
    who = _name_jobs(jobs)
    return f"{who[0].upper()}{who[1:]} {was} run to {whose} end: `/jobs status {jobs[0]}`."


def _name_jobs(jobs: Sequence[int]) -> str:
    """`job 7`, `3 jobs (7, 8, 9)`."""
    if len(jobs) == 1:
        return f"job {jobs[0]}"
    return f"{len(jobs)} jobs ({', '.join(map(str, jobs))})"
