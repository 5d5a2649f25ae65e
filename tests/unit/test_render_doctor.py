"""The doctor's page, its JSON, and the page of the reference that explains each check."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from jobs_maint.models import DoctorReport, Finding
from jobs_maint.operations.doctor.examine import CHECKS
from jobs_maint.render import render_json, render_text

NOW = datetime(2026, 7, 1, 3, 12, tzinfo=UTC)
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "doctor.md"
FINE = Finding("clock", "ok", "The clocks agree.")


def show(*findings, **options):
    return render_text(DoctorReport(NOW, findings), **options)


def test_each_finding_is_its_sentence_and_its_fix_and_what_is_fine_is_counted():
    text = show(
        Finding(
            "schema", "error", "The tables are old.", "Run `jobs-maint schema apply`.", "Tables"
        ),
        Finding("workers", "warning", "No worker is live.", "Start one."),
        Finding("proxy", "note", "A proxy is set.", "Nothing is to do."),
        FINE,
        FINE,
    )
    assert text == (
        "ERROR Tables\n"
        "  The tables are old.\n"
        "  Fix: Run `jobs-maint schema apply`.\n"
        "\n"
        "WARNING workers\n"
        "  No worker is live.\n"
        "  Fix: Start one.\n"
        "\n"
        "NOTE proxy\n"
        "  A proxy is set.\n"
        "  Fix: Nothing is to do.\n"
        "\n"
        "1 error, 1 warning, 1 note, 2 checks are fine."
    )


def test_when_all_is_fine_it_is_one_line():
    assert show(FINE) == "1 check is fine."


def test_checks_that_say_the_same_are_told_together_but_counted_one_by_one():
    same = ("warning", "This was not checked.", "Mend that.")
    text = show(Finding("purge", *same), Finding("rescue", *same), FINE)
    assert text.startswith("WARNING purge, rescue\n  This was not checked.\n")
    assert text.count("This was not checked.") == 1
    assert text.endswith("2 warnings, 1 check is fine.")


def test_it_is_no_wider_than_the_terminal():
    long = Finding("locks", "error", "word " * 60, "word " * 60)
    assert max(map(len, show(long, width=60).splitlines())) <= 60


def test_the_name_of_a_lock_cannot_harm_a_terminal():
    text = show(Finding("locks", "error", "The lock \x1b[2J\nis \u202eheld.", "See\tit."))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_json_has_every_check_also_the_fine_ones():
    report = DoctorReport(NOW, (Finding("schema", "error", "Old.", "Apply."), FINE))
    assert json.loads(render_json(report)) == {
        "kind": "doctor",
        "standby_lag_seconds": None,
        "as_of": "2026-07-01T03:12:00Z",
        "findings": [
            {"check": "schema", "level": "error", "sentence": "Old.", "fix": "Apply.", "title": ""},
            {
                "check": "clock",
                "level": "ok",
                "sentence": "The clocks agree.",
                "fix": None,
                "title": "",
            },
        ],
    }


def test_only_an_error_changes_the_exit_code():
    worst = ["ok", "note", "warning"]
    assert DoctorReport(NOW, tuple(Finding("x", level, "") for level in worst)).exit_code == 0
    assert DoctorReport(NOW, (FINE, Finding("x", "error", ""))).exit_code == 1


def test_every_check_has_its_row_in_the_reference_and_no_row_is_of_another():
    row = r"^\| `(\w+)`<br>([^|]+) \| .+ \| .+ \|$"
    rows = re.findall(row, REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted((check.name, check.title) for check in CHECKS)
