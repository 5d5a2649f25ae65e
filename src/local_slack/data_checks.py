"""What Slack checks in tables, data tables and charts.

Sources: the `table`, `data_table` and `data_visualization` pages of
`docs.slack.dev/reference/block-kit/blocks`. The limit of 20 points and names in a
chart was observed by others and is not documented.
"""

from typing import Any

from local_slack.check_parts import (
    Found,
    check_choice,
    check_fields,
    check_items,
    check_number,
    check_range,
    check_string,
)
from local_slack.rich_checks import check_rich_text

MAX_CELLS = 10_000
"""Characters over all cells of a message's tables."""
MAX_COLUMNS = 20
MAX_LABEL = 20
MAX_AXIS_LABEL = 50
MAX_POINTS = 20
MAX_SERIES = 6
CELL_TYPES = frozenset({"raw_text", "raw_number", "rich_text"})
CHARTS = frozenset({"area", "bar", "line", "pie"})


def check_table(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "rows", "column_settings"), where)
    yield from _rows(block, where, 1, 100)
    settings = block.get("column_settings", [])
    if not isinstance(settings, list) or len(settings) > MAX_COLUMNS:
        yield f"{where}/column_settings", f"must be a list of at most {MAX_COLUMNS} items"
        return
    for i, one in enumerate(settings):
        place = f"{where}/column_settings/{i}"
        if isinstance(one, dict):
            yield from check_fields(one, ("align", "is_wrapped"), place)
            yield from check_choice(one, "align", place, ("left", "center", "right"))
        elif one is not None:
            yield place, "must be an object"


def check_data_table(block: dict[str, Any], where: str) -> Found:
    known = ("type", "block_id", "rows", "caption", "page_size", "row_header_column_index")
    yield from check_fields(block, known, where)
    yield from check_string(block, "caption", where, 2000)
    yield from check_range(block, "page_size", where, 1, 100)
    yield from _rows(block, where, 2, 101)
    rows = block.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return
    if len({len(row) for row in rows}) > 1:
        yield f"{where}/rows", "all rows must have the same number of cells"
    yield from check_range(block, "row_header_column_index", where, 0, MAX_COLUMNS - 1)
    for i, cell in enumerate(rows[0] if rows else []):
        if isinstance(cell, dict) and cell.get("type") == "rich_text":
            yield f"{where}/rows/0/{i}", "a header cell cannot be rich_text"


def _rows(block: dict[str, Any], where: str, least: int, most: int) -> Found:
    rows = block.get("rows")
    if not isinstance(rows, list):
        yield f"{where}/rows", "missing required field: rows"
        return
    if not least <= len(rows) <= most:
        yield f"{where}/rows", f"must have {least} to {most} items, not {len(rows)}"
        return
    for i, row in enumerate(rows):
        if not isinstance(row, list) or not 1 <= len(row) <= MAX_COLUMNS:
            yield f"{where}/rows/{i}", f"must be a list of 1 to {MAX_COLUMNS} cells"
            continue
        for j, cell in enumerate(row):
            yield from _cell(cell, f"{where}/rows/{i}/{j}")


def _cell(cell: Any, where: str) -> Found:
    kind = cell.get("type") if isinstance(cell, dict) else None
    if kind not in CELL_TYPES:
        yield f"{where}/type", f"unsupported cell type: {kind}"
    elif kind == "rich_text":
        yield from check_rich_text(cell, where)
    else:
        yield from check_string(cell, "text", where, MAX_CELLS)
        if kind == "raw_number":
            yield from check_number(cell, "value", where)
        known = ("type", "text", "value") if kind == "raw_number" else ("type", "text")
        yield from check_fields(cell, known, where)


def check_chart(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "title", "chart"), where)
    yield from check_string(block, "title", where, 50)
    chart = block.get("chart")
    kind = chart.get("type") if isinstance(chart, dict) else None
    if not isinstance(chart, dict) or kind not in CHARTS:
        yield f"{where}/chart", f"must be an object of type {', '.join(sorted(CHARTS))}"
    elif kind == "pie":
        yield from check_fields(chart, ("type", "segments"), f"{where}/chart")
        yield from check_items(chart, "segments", f"{where}/chart", 1, MAX_SERIES, _segment)
    else:
        yield from check_fields(chart, ("type", "series", "axis_config"), f"{where}/chart")
        yield from check_items(chart, "series", f"{where}/chart", 1, MAX_SERIES, _series)
        yield from _axes(chart, f"{where}/chart")


def _segment(segment: dict[str, Any], where: str) -> Found:
    yield from _point(segment, where)
    value = segment.get("value")
    if isinstance(value, int | float) and value <= 0:
        yield f"{where}/value", "must be more than 0"


def _point(point: dict[str, Any], where: str) -> Found:
    yield from check_fields(point, ("label", "value"), where)
    yield from check_string(point, "label", where, MAX_LABEL)
    yield from check_number(point, "value", where)


def _series(series: dict[str, Any], where: str) -> Found:
    yield from check_fields(series, ("name", "data"), where)
    yield from check_string(series, "name", where, MAX_LABEL)
    yield from check_items(series, "data", where, 1, MAX_POINTS, _point)


def _axes(chart: dict[str, Any], where: str) -> Found:
    """Each category once, a point for it in every series, and no two series of one name."""
    config = chart.get("axis_config")
    categories = config.get("categories") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(categories, list):
        yield f"{where}/axis_config", "missing required field: categories"
        return
    place = f"{where}/axis_config"
    yield from check_fields(config, ("categories", "x_label", "y_label"), place)
    for key in ("x_label", "y_label"):
        if key in config:
            yield from check_string(config, key, place, MAX_AXIS_LABEL)
    if not 1 <= len(categories) <= MAX_POINTS:
        yield f"{place}/categories", f"must have 1 to {MAX_POINTS} items, not {len(categories)}"
    if len(set(map(str, categories))) < len(categories):
        yield f"{place}/categories", "must not repeat a category"
    for i, name in enumerate(categories):
        yield from check_string({str(i): name}, str(i), f"{place}/categories", MAX_LABEL)
    series = _objects(chart, "series")
    names = [str(one.get("name")) for one in series]
    if len(set(names)) < len(names):
        yield f"{where}/series", "two series have the same name"
    for i, one in enumerate(series):
        labels = [str(point.get("label")) for point in _objects(one, "data")]
        if sorted(labels) != sorted(map(str, categories)):
            yield f"{where}/series/{i}/data", "must have one point for each of the categories"


def _objects(holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = holder.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
