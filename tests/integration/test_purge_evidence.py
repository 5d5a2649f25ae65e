"""Jobs without events in any order: a preview, the run, its outcome and the table say the same."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from jobs_maint import actions
from jobs_maint.actions import Actor
from jobs_maint.operations.purge import batches, late, reach
from jobs_maint.operations.purge.retention import Retention
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
KEEP = {"succeeded": 30, "failed": 90, "cancelled": 30, "aborted": 30}


@dataclass(frozen=True)
class Job:
    """`deferred`: days ago, None: it has no events."""

    status: str
    deferred: int | None
    ended: int = 0


def lay_out(text: str) -> list[Job]:
    """`s40` succeeded 40 days ago, `s40/2`: and ended 2 days ago, `f-`: failed, without events."""
    names = {name[0]: name for name in ("todo", *KEEP)}
    jobs = []
    for word in text.split():
        deferred, _, ended = word[1:].partition("/")
        age = None if deferred == "-" else int(deferred)
        jobs.append(Job(names[word[0]], age, int(ended or age or 0)))
    return jobs


def sift(jobs: list[Job]) -> tuple[set[int], set[int]]:
    """Which of them are old enough, and of which nothing tells the age; ids begin with 1."""
    old, undated = set(), set()
    for number, job in enumerate(jobs, 1):
        if job.status not in KEEP:
            continue
        keep = KEEP[job.status]
        if job.deferred is None:
            # As far as each job that has events is old, and one that has some comes later.
            later = [other.deferred for other in jobs[number:] if other.deferred is not None]
            before = [other.deferred for other in jobs[:number] if other.deferred is not None]
            proven = bool(later) and min(later[0], *before, later[0]) > keep
            (old if proven else undated).add(number)
        elif job.ended > keep:
            old.add(number)
    return old, undated


async def make(conn, jobs: list[Job], queue: str = "q") -> None:
    await conn.execute("TRUNCATE procrastinate_jobs, jobs_maint_audit RESTART IDENTITY CASCADE")
    await conn.execute("SET session_replication_role = replica")
    for number, job in enumerate(jobs, 1):
        await conn.execute(
            "INSERT INTO procrastinate_jobs (id, queue_name, task_name, status)"
            " VALUES (%s, %s, 'app.task', %s)",
            (number, queue, job.status),
        )
        if job.deferred is not None:
            await conn.execute(
                "INSERT INTO procrastinate_events (job_id, type, at) VALUES"
                " (%(id)s, 'deferred', now() - make_interval(days => %(deferred)s)),"
                " (%(id)s, 'started', now() - make_interval(days => %(ended)s))",
                {"id": number, "deferred": job.deferred, "ended": job.ended},
            )
    await conn.execute("SET session_replication_role = origin")
    await conn.execute("ANALYZE procrastinate_jobs, procrastinate_events")


async def list_ids(conn) -> set[int]:
    found = await conn.execute("SELECT id FROM procrastinate_jobs")
    return {row[0] for row in await found.fetchall()}


def count(jobs: list[Job], ids: set[int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number in ids:
        status = jobs[number - 1].status
        counts[status] = counts.get(status, 0) + 1
    return counts


async def do(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def check(pool, conn, jobs: list[Job]) -> None:
    await make(conn, jobs)
    there = await list_ids(conn)
    old, undated = sift(jobs)
    shown = await do(pool, actions.PreviewPurge())
    assert shown.by_status == count(jobs, old)
    assert sum(group.count for group in shown.skips) == len(undated)
    report = shown
    if shown.key is not None:
        report = await do(pool, actions.ConfirmSelection(shown.key))
        assert report.deleted == shown.by_status
        assert report.undated == shown.skips
    assert await list_ids(conn) == there - old
    assert {i for group in shown.skips for i in group.sample} <= undated
    found = await conn.execute("SELECT counts FROM jobs_maint_audit WHERE outcome = 'done'")
    told = {**count(jobs, old), **({"undated": len(undated)} if undated else {})}
    assert await found.fetchall() == ([(told,)] if old else [])


@pytest.fixture(params=["at once", "in pieces"])
def pieces(monkeypatch, request):
    if request.param == "in pieces":
        monkeypatch.setattr(late, "CELL", 3)
        monkeypatch.setattr(reach, "CELL", 3)
        monkeypatch.setattr(reach, "EVENTS", 5)
        for name in ("FIRST_BATCH", "SMALLEST_BATCH", "LARGEST_BATCH"):
            monkeypatch.setattr(batches, name, 2)


IMPORT = " ".join(["s2"] * 60 + ["s-"] * 20 + ["s40"] * 3)
"""Old jobs, some of them without events, behind younger ones."""
LAYOUTS = {
    "an import": IMPORT,
    "an import of more than is there": " ".join(["s2"] * 10 + ["s-"] * 20 + ["s40"] * 3),
    "an import behind a todo": IMPORT.replace("s2", "t2"),
    "an old job first": f"s50 {IMPORT}",
    "undated before, between and behind": "s- s50 s- s2 s- s40 s- s1 s-",
    "undated first": f"s- {IMPORT}",
    "all old": "s- s50 f- s45 s- c- a- s40",
    "statuses": "s- f- c- s50 f- s40 c- s2 f- s60 a- a50",
    "two ages": "f- s- s100 f- s- s95 f- s- s50 f- s- s2 f- s-",
    "two ages, the evidence of one goes with the other": "f- c- s100 f- s100 f40",
    "an import of two ages": "s50 s2 f- s- s200 f- f200 s- s1",
    "ended lately": "s50/2 s- s40/1 s- s20 s- s90",
    "one without later ones": "s50 s- s-",
    "none with events": "s- f- c-",
}


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
async def test_a_job_goes_or_stays_as_the_preview_says(pool, conn, layout):
    await check(pool, conn, lay_out(layout))


def draw(chance: random.Random) -> list[Job]:
    """Blocks of one time each, as an import leaves them; within one most ids grow with time."""
    jobs = []
    for _ in range(chance.randint(1, 5)):
        age, known = chance.choice([1, 20, 45, 120, 300]), chance.random()
        for _ in range(chance.randint(1, 12)):
            deferred = max(0, age + chance.randint(-1, 1)) if chance.random() < known else None
            ended = chance.choice([deferred, deferred, 1]) if deferred is not None else 0
            jobs.append(Job(chance.choice(["todo", *KEEP]), deferred, min(ended, deferred or 0)))
    return jobs


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("seed", range(2))
async def test_of_any_layout_a_preview_and_its_run_say_the_same(pool, conn, seed):
    chance = random.Random(seed)
    for _ in range(12):
        await check(pool, conn, draw(chance))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
async def test_a_purge_in_slices_deletes_the_same(pool, conn, monkeypatch, layout):
    """What a slice found is carried to the next: its deletes take the evidence away."""
    for name in ("FIRST_BATCH", "SMALLEST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(batches, name, 2)
    jobs = lay_out(layout)
    await make(conn, jobs)
    there = await list_ids(conn)
    retention = Retention.of(MaintSettings())

    async def stop(_conn, counts):
        return not sum(counts.values())

    resume, runs = {}, 0
    while runs == 0 or resume:
        report = await batches.purge_finished_jobs(
            pool, retention, resume_after=resume, trim=False, on_batch=stop
        )
        resume, runs = report.resume_after, runs + 1
    assert there - await list_ids(conn) == sift(jobs)[0]


async def test_of_one_queue_the_outcome_tells_what_the_preview_left_out(pool, conn):
    """The younger jobs before it are of another queue."""
    jobs = lay_out(LAYOUTS["an import of more than is there"])
    await make(conn, jobs)
    await conn.execute("UPDATE procrastinate_jobs SET queue_name = 'other' WHERE id <= 10")
    shown = await do(pool, actions.PreviewPurge(queue="q"))
    preview = " ".join(render_text(shown).split())
    assert "3 finished jobs would be deleted" in preview
    assert "Left out 20: they have no events" in preview
    report = await do(pool, actions.ConfirmSelection(shown.key))
    outcome = " ".join(render_text(report).split())
    assert "3 jobs deleted" in outcome
    assert "20 not deleted: they have no events" in outcome
    assert "they go once a job deferred after them is old enough" in outcome
    assert await list_ids(conn) == set(range(1, 31))


async def test_what_was_left_and_may_go_now_is_not_told_of_as_left(pool, conn):
    """A purge of the same night repeats what the first one counted only where it still holds."""
    jobs = lay_out("s50 s- s- s29 s1")
    await make(conn, jobs)
    first = await do(pool, actions.PurgeFinished())
    assert [group.count for group in first.undated] == [2]
    again = await do(pool, actions.PurgeFinished())
    assert (again.undated, again.surveyed_at is None) == (first.undated, False)
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '2 days'")
    dry = await do(pool, actions.PurgeFinished(dry_run=True))
    report = await do(pool, actions.PurgeFinished())
    assert dry.deleted == report.deleted == {"succeeded": 3}
    assert dry.undated == report.undated == ()
    assert await list_ids(conn) == {5}
