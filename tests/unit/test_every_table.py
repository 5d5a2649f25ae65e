"""Every table of the shell at every width: ids and counts whole, names cut where one sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from itertools import count, cycle, takewhile
from operator import eq

import pytest
from rich.cells import cell_len

from chatbot.setup import sample_acts as acts
from chatbot.setup import sample_reports as samples
from jobs_maint.models import (
    ActReport,
    BulkReport,
    DoctorReport,
    FailedJob,
    FailedJobsReport,
    GroupReport,
    HelpReport,
    IncidentReport,
    IncidentsReport,
    PurgeReport,
    SchemaDropReport,
    SchemaReport,
    SetGroup,
)
from jobs_maint.render.page import Page
from jobs_maint.render.text import list_pages

ODD = (
    "a_name_without_a_space_" * 9,
    "with spaces, “quotes” and … dots " * 6,
    "🧾👩\u200d👧🇩🇪é" * 40,
    "日本語のキュー" * 29,
    "عربى\u202eabc" * 25,
    "--all",
    "e",
)
TEXTS = {
    "queue", "queues", "task", "worker", "host", "actor", "taken_by", "action", "message", "error",
    "exception_type", "reason",
}  # fmt: skip
AS_THEY_ARE = {"verb", "words", "key"}
STAY = {"ID", "Request", "Count", "Sample", "Jobs", "Status", "Became", "Deleted", "Succeeded"}
"""Headers of what says which, how many and what became of it. The first of a table stays too."""
WITHOUT_TABLE = {
    ActReport, BulkReport, DoctorReport, GroupReport, HelpReport, IncidentReport, IncidentsReport,
    SchemaDropReport, SchemaReport,
}  # fmt: skip
"""Their pages are sentences, which are wrapped."""


class Watched(Page):
    """Remembers each table: its columns and the lines it became."""

    def __init__(self, width):
        super().__init__(width, styled=False)
        self.tables = []

    def table(self, columns, **options):
        before = len(self._out.getvalue())
        super().table(columns, **options)
        self.tables.append((columns, self._out.getvalue()[before:].rstrip("\n").split("\n")))

    def verbatim(self, text, *, indent=0):
        """Arguments and tracebacks may be wider, so that copying gives all of them."""


def odden(value, names, numbers, field=""):
    """The same with texts that are long, wide or strange and with numbers of many digits."""
    if isinstance(value, str) and field in TEXTS:
        return next(names)
    if isinstance(value, int) and not isinstance(value, bool) and value:
        large = 10**12 if field.endswith("job_id") else 10**6
        return large + next(numbers)
    if is_dataclass(value):
        kept = [one.name for one in fields(value) if one.init and one.name not in AS_THEY_ARE]
        return replace(
            value, **{name: odden(getattr(value, name), names, numbers, name) for name in kept}
        )
    if isinstance(value, Mapping):
        return {key: odden(one, names, numbers, field) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(odden(one, names, numbers, field) for one in value)
    return value


def make_reports():
    stats, errors = samples.stats(), samples.errors()
    failed = FailedJob(1, "q", "t", 3, samples.ago(4), True, "error", "E", "boom")
    taken = tuple(replace(one, taken_by="shell:ana@web-1") for one in errors.groups)
    days_ago = tuple(replace(one, at=datetime(2026, 1, 1, tzinfo=samples.NOW.tzinfo))
                     for one in samples.details().events)  # fmt: skip
    reports = [
        replace(stats, estimated={"webhook": ("succeeded",)}),
        FailedJobsReport(samples.NOW, (failed,) * 7, 9, 20), replace(errors, groups=taken),
        samples.stuck(), samples.silent(), samples.workers(), samples.audit(), samples.details(),
        replace(samples.details(), events=days_ago), samples.digest(queues=stats.queues),
        samples.rescue(), acts.PURGE,
        PurgeReport(dict.fromkeys(("succeeded", "failed", "cancelled"), 900), 1, 1.0, True),
        replace(acts.RETRY, groups=(SetGroup("q", "t", 37),) * 7),
    ]  # fmt: skip
    return [
        odden(report, cycle(ODD[i % len(ODD) :] + ODD[: i % len(ODD)]), count(1))
        for i, report in enumerate(reports)
    ]


REPORTS = make_reports()


def find_loss(line, columns, row):
    """The first cell of the row that the line has neither whole nor, of a name, cut with a mark."""
    for column in columns:
        cell, line = column.cells[row].strip(" "), line.lstrip(" ")
        if line.startswith(cell) and line[len(cell) :][:1] in {"", " "}:
            line = line[len(cell) :]
            continue
        same = len([*takewhile(bool, map(eq, line, cell))])
        if not (column.may_shrink and same and line[same : same + 1] == "…"):
            return cell
        line = line[same + 1 :]
        kept = [n for n in range(len(line) + 1) if not column.is_text and cell.endswith(line[:n])]
        line = line[max(kept, default=0) :]
    return line


def split_columns(columns, lines):
    """Those that the table shows, and the headers of those it says it had no room for."""
    said = " ".join(" ".join(lines).split()).partition("Too narrow for: ")[2]
    left = said.partition(". --json has them.")[0].split(", ") if said else []
    shown = [one for one in columns if one.header.replace("\n", " ") not in left]
    return shown, left


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.kind)
def test_at_any_width_ids_and_counts_are_whole_and_each_loss_is_seen(report):
    for width in range(40, 251):
        page = Watched(width)
        list_pages()[type(report)](report, page)
        assert max(map(cell_len, page.text().split("\n"))) <= width
        assert page.tables
        for columns, lines in page.tables:
            shown, left = split_columns(columns, lines)
            assert len(shown) + len(left) == len(columns), (width, left)
            assert not ({columns[0].header} | STAY) & set(left), (width, left)
            for row in range(len(columns[0].cells)):
                losses = [find_loss(line, shown, row) for line in lines]
                assert "" in losses, (width, row, losses, lines)


def test_no_page_is_forgotten():
    assert {type(report) for report in REPORTS} | WITHOUT_TABLE == set(list_pages())
    assert not {type(report) for report in REPORTS} & WITHOUT_TABLE
