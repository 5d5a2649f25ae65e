"""One result for people: finds its page."""

from __future__ import annotations

import functools

from jobs_maint.models import (
    ErrorsReport,
    Report,
    SchemaReport,
    StatsReport,
    WorkersReport,
    say_standby,
)
from jobs_maint.registry import collect
from jobs_maint.render.page import Page, Pages
from jobs_maint.render.safe import safe_line

__all__ = ["list_pages", "render_result"]


@functools.cache
def list_pages() -> Pages:
    """Result → page: the `PAGES` of this package's modules."""
    return collect(__package__, "PAGES")


def render_result(result: object, *, width: int, styled: bool) -> str:
    if isinstance(result, SchemaReport) and result.sql is not None:
        return result.sql.rstrip("\n")
    if not isinstance(result, Report) or (render := list_pages().get(type(result))) is None:
        raise TypeError(f"no page is made of {type(result).__name__}")
    page = Page(width, styled=styled)
    render(result, page)
    if isinstance(result, ErrorsReport | StatsReport | WorkersReport) and result.unstored:
        page.line()
        page.line(safe_line(result.unstored), "bold yellow")
    if result.standby_lag_seconds is not None:
        page.line()
        page.line(say_standby(result.standby_lag_seconds), "yellow")
    return page.text()
