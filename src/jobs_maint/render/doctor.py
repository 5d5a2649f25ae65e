"""The doctor's findings: the worst first, each with its fix; what is fine is only counted."""

from __future__ import annotations

from collections import Counter

from jobs_maint.models import DoctorReport
from jobs_maint.render.page import Page, Pages
from jobs_maint.render.safe import safe_line, safe_word
from jobs_maint.render.verdict import count_noun

__all__ = ["PAGES"]

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold"}


def render_doctor(report: DoctorReport, page: Page) -> None:
    """Checks that say the same are told together."""
    together: dict[tuple[str, str, str | None], list[str]] = {}
    for finding in report.findings:
        if finding.level != "ok":
            same = (finding.level, finding.sentence, finding.fix)
            headings = together.setdefault(same, [])
            if finding.heading not in headings:
                headings.append(finding.heading)
    for (level, sentence, fix), headings in together.items():
        page.line(f"{level.upper()} {', '.join(map(safe_word, headings))}", _STYLES[level])
        page.line(safe_line(sentence), indent=2)
        if fix:
            page.line(f"Fix: {safe_line(fix)}", indent=2)
        page.line()
    page.line(f"{_summary(report)}.", "bold")


def _summary(report: DoctorReport) -> str:
    counts = Counter(finding.level for finding in report.findings)
    parts = [
        count_noun(counts[level], level) for level in ("error", "warning", "note") if counts[level]
    ]
    fine = count_noun(counts["ok"], "check")
    parts.append(f"{fine} {'is' if counts['ok'] == 1 else 'are'} fine")
    return ", ".join(parts)


PAGES: Pages = {DoctorReport: render_doctor}
