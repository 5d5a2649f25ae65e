"""A day in minutes on the page: what happens, what to try, and what of it was done."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from demo.breaking import FLOOD, KILL, NO_WORKER, WEBHOOK, Breaking
from demo.stage import ADA, ANA, OPS, ROLES, VIC, Stage
from jobs_maint.grammar import build_completion
from local_slack import ControlError, Page, Panel, Step

PORT = 8321
CLOCK = {
    # Slow enough to look at what happens, fast enough for a day in minutes.
    "JOBS_MAINT_STALLED_AFTER": "30s",
    "JOBS_MAINT_RESCUE_CRON": "* * * * * */5",
    "JOBS_MAINT_PURGE_CRON": "*/5 * * * *",
    "CHATBOT_DIGESTS": json.dumps(
        [{"name": "ops", "channel": OPS, "cron": "*/5 * * * *", "when_quiet": "skip"}]
    ),
    # A minute without a worker is long for who waits to see it told.
    "CHATBOT_INCIDENTS": json.dumps({"channel": OPS, "no_worker": "5s"}),
}
LOOK = 1.0
"""Seconds between two looks at what was done."""


@dataclass(frozen=True)
class Trial:
    """A step, and how it shows that it was done: all its commands were sent, or so many rows are in
    the audit."""

    step: Step
    commands: tuple[str, ...] = ()
    audited: str = ""
    rows: int = 1


def build_trials() -> list[Trial]:
    return [
        Trial(Step("Look at the queues", "Send `/jobs stats`.", ANA), commands=("stats",)),
        Trial(
            Step(
                "Find out why jobs fail",
                "A deploy broke `webhook`; if its switch below is off, turn it on. `/jobs errors`"
                " groups the failures by their error. Each group has a name such as E-e310,"
                " which stays the same and can be typed instead of the error. *I'm on it* tells"
                " the others that you are looking into it; *Mute for 24 h* keeps it quiet.",
                ANA,
            ),
            commands=("errors",),
        ),
        Trial(
            Step(
                "Mend the cause, retry the jobs",
                "Turn off *webhook is broken* below. Then send `/jobs retry --all webhook` and"
                " confirm. *Preview retry* in an older message covers only the failures that it"
                " counted. The outcome ends with its number in the audit, such as “request 5”. The"
                " step is done when `webhook` has no failed job.",
                ANA,
            ),
            audited="word = 'retry' AND outcome IN ('done', 'partly') AND NOT EXISTS (SELECT FROM"
            " procrastinate_jobs WHERE queue_name = 'webhook' AND status = 'failed')",
        ),
        Trial(
            Step(
                "See who is refused",
                "vic is a viewer: `/jobs retry --all webhook` is refused, only he sees it, and"
                " the audit keeps it.",
                VIC,
            ),
            audited=f"outcome = 'refused' AND actor_id = '{VIC}'",
        ),
        Trial(
            Step(
                "Lose a worker",
                "Press *Kill a worker* below. Once it has been silent for some seconds, `/jobs"
                " stuck` shows its job and `/jobs workers` who is left.",
                ANA,
            ),
            commands=("stuck", "workers"),
        ),
        Trial(
            Step(
                "Be told before you ask",
                f"Turn on *{NO_WORKER}* below and wait: within 40 s the bot tells of an incident in"
                " *#ops*. Press *I'm on it*. `/jobs incidents` lists it with its name, such as I-1."
                " Then turn the switch off: within 40 s that message turns green.",
                ANA,
            ),
            audited="word = 'take' AND action LIKE 'take I-%%' AND outcome = 'done' AND EXISTS"
            " (SELECT FROM jobs_maint_incidents WHERE kind = 'no_worker' AND state = 'resolved')",
        ),
        Trial(
            Step(
                "Stop a long operation",
                "Press *Flood newsletter* below and wait until *Just happened* says that the mails"
                " are in `newsletter`. Then send `/jobs cancel --all newsletter`, confirm, and"
                " press *Stop* while the bar moves.",
                ADA,
            ),
            audited="word = 'cancel' AND outcome = 'partly'",
        ),
        Trial(
            Step(
                "Read the day",
                "A digest comes by itself every five minutes and tells what failed since the last"
                " one; in production it comes each morning. `/jobs digest` tells of the last 24"
                " hours.",
                ANA,
            ),
            commands=("digest",),
        ),
        Trial(
            Step(
                "Give up what no retry mends",
                "`/jobs errors` still lists mails to dead addresses and a broken price list. Give"
                " up on them with `/jobs discard --all email` and `/jobs discard --all reports`,"
                " and confirm both.",
                ADA,
            ),
            audited="word = 'discard' AND outcome IN ('done', 'partly')",
            rows=2,
        ),
        Trial(
            Step("See who did what", "`/jobs audit` has every change and refusal.", ADA),
            commands=("audit",),
        ),
    ]


END = (
    "Go on with one of these:\n"
    "• *An app of your own*, in ten minutes: the tutorial, `docs/tutorial/first-retry.md`.\n"
    "• *This page on your team's jobs*, without Slack: `jobs-chatbot local`, with"
    " `JOB_QUEUE_DATABASE_URL` set.\n"
    "• *In your team's app*: two lines, under “Add it to your app” in `README.md`."
)
SCRIPT = (("Look at the queues", 60.0, WEBHOOK), ("", 180.0, KILL), ("", 90.0, FLOOD))
"""What breaks by itself: once this step is done, or after so many seconds."""


class Day:
    def __init__(self) -> None:
        self.trials = build_trials()
        self.breaking = Breaking()
        self.panel = Panel(
            "A day in minutes",
            steps=[one.step for one in self.trials],
            end=END,
            switches=self.breaking.build_switches(),
        )
        self.breaking.panel = self.panel
        self._played = 0
        self.page = Page(
            roles=ROLES,
            words=build_completion("slack"),
            notice="A local Slack with the real bot, two workers and a PostgreSQL. Nothing leaves"
            " this machine; Ctrl-C in the terminal ends it.",
            panel=self.panel,
        )

    async def begin(self, stage: Stage) -> None:
        """Start the parts; afterwards the page answers."""
        self.stage = self.breaking.stage = stage
        shop = stage.start("shop", "-m", "demo.team_app", "shop")
        # The rescue counts each hour that is over once, so the past comes before the workers.
        await shop.wait_for("the past days are written")
        await asyncio.gather(self.breaking.start(), shop.wait_for("shop is open"))
        self.panel.tell(
            "The shop is open: mails, webhooks and reports come in, and two workers run them."
            " See how they do: `/jobs stats`."
        )

    async def go_on(self) -> None:
        """Until it is cancelled."""
        watching = [asyncio.create_task(one()) for one in (self._look, self._tell_digests)]
        watching.append(asyncio.create_task(self._tell_ends()))
        try:
            await self._play()
            await asyncio.gather(*watching)
        finally:
            for one in watching:
                one.cancel()
            self.breaking.close()

    async def _play(self) -> None:
        """For who only watches. Beside a person who acts nothing breaks but what they break."""
        for title, seconds, label in SCRIPT:
            await self._wait(title, seconds)
            if self.breaking.turns > self._played or (
                label != WEBHOOK and self.stage.slack.commands_sent
            ):
                return
            self._played += 1
            try:
                await self.panel.turn(label)
            except ControlError as exc:
                self.panel.tell(str(exc).splitlines()[0])

    async def _wait(self, title: str, seconds: float) -> None:
        for _ in range(int(seconds / LOOK)):
            if any(one.step.done for one in self.trials if one.step.title == title):
                break
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        """Mark what was tried."""
        command = self.stage.slack.config.app.commands[0]
        typed: set[str] = set()
        read = 0
        while True:
            sent = self.stage.slack.commands_sent
            typed |= {text.removeprefix(f"{command} ").split(" ")[0] for text in sent[read:]}
            read = len(sent)
            for trial in self.trials:
                if not trial.step.done and (
                    (trial.commands and typed.issuperset(trial.commands))
                    or await self._is_audited(trial)
                ):
                    self.panel.finish(trial.step)
            await asyncio.sleep(LOOK)

    async def _is_audited(self, trial: Trial) -> bool:
        if not trial.audited:
            return False
        query = (
            "SELECT count(DISTINCT action) FROM jobs_maint_audit WHERE actor_kind = 'slack' AND "
        )
        found = await self.stage.query(f"{query}{trial.audited}")
        return bool(found[0][0] >= trial.rows)

    async def _tell_digests(self) -> None:
        """The first one: the others are in the channel."""
        query = "SELECT 1 FROM jobs_maint_digests WHERE state = 'sent'"
        await self.breaking.until(lambda: self.stage.query(query))
        self.panel.tell(
            "A digest was posted to *#ops*; one comes every five minutes. In production it comes"
            " once a day."
        )

    async def _tell_ends(self) -> None:
        told: set[str] = set()
        while True:
            for one in self.stage.programs:
                if one.popen.poll() is not None and not one.is_ending and one.name not in told:
                    told.add(one.name)
                    self.panel.tell(f"{one.name} ended with {one.popen.returncode}.")
                    print(f"\n{one.name} ended with {one.popen.returncode}:\n{one.tail()}")
            await asyncio.sleep(LOOK)
