"""A message as plain text, for a terminal."""

import re
import textwrap
from collections.abc import Callable
from typing import Any

from local_slack.messages import SeenMessage
from local_slack.tables import render_rows
from local_slack.views import SeenView

WIDTH = 80
CODE_INDENT = "    "

Block = dict[str, Any]


def as_text(message: SeenMessage | SeenView, width: int = WIDTH) -> str:
    """Render the blocks, or the text where there are none; lines end at `width` where they can."""
    if isinstance(message, SeenView):
        return _render_view(message, width)
    if not message.blocks:
        return _wrap(render_mrkdwn(message.text), width)
    return render_blocks(message.blocks, width)


def _render_view(view: SeenView, width: int) -> str:
    """Title, errors, blocks, then the buttons at the bottom."""
    lines = [_underline(view.title)]
    lines += [f"! {one}" for one in [view.trouble, *view.errors.values()] if one]
    lines.append(render_blocks(view.blocks, width))
    lines.append(" ".join(f"[{one}]" for one in (view.close or "Close", view.submit) if one))
    return "\n".join(lines)


def render_blocks(blocks: list[Block], width: int = WIDTH) -> str:
    parts = [_render_block(block, width) for block in blocks]
    return "\n".join(part for part in parts if part)


def render_mrkdwn(text: str) -> str:
    """Show links, mentions and dates as readers see them, and undo Slack's escaping."""
    text = re.sub(r"<!date\^[^|>]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<!subteam\^[^|>]*\|@?([^>]*)>", r"@\1", text)
    text = re.sub(r"<[@#!][^|>]*\|([^>]*)>", lambda match: match[0][1] + match[1], text)
    text = re.sub(r"<([@#])([^>]*)>", r"\1\2", text)
    text = re.sub(r"<!([^>]*)>", r"@\1", text)
    text = re.sub(r"<((?:https?|mailto):[^|>]*)\|([^>]*)>", r"\2 (\1)", text)
    text = re.sub(r"<((?:https?|mailto):[^>]*)>", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _render_block(block: Block, width: int) -> str:
    render = RENDERERS.get(str(block.get("type")))
    return render(block, width) if render else f"[{block.get('type')}]"


def _render_header(block: Block, width: int) -> str:
    return _underline(_wrap(_object(block.get("text")), width))


def _underline(title: str) -> str:
    return f"{title}\n{'=' * max(map(len, title.splitlines()), default=0)}"


def _render_alert(block: Block, width: int) -> str:
    return _wrap(f"[{block.get('level', 'default')}] {_object(block.get('text'))}", width)


def _render_input(block: Block, width: int) -> str:
    return _wrap(f"{_object(block.get('label'))}: {_element(block.get('element', {}))}", width)


def _render_context(block: Block, width: int) -> str:
    return _wrap(" · ".join(map(_object, block.get("elements", []))), width)


def _render_actions(block: Block, width: int) -> str:
    return "\n".join(textwrap.wrap(" ".join(map(_element, block.get("elements", []))), width))


def _render_divider(_block: Block, width: int) -> str:
    return "-" * min(40, width)


def _render_table(block: Block, width: int) -> str:
    rows = [[_cell(cell) for cell in row] for row in block.get("rows", [])]
    table = render_rows(rows, _right_aligned(block), width)
    return "\n".join(filter(None, [block.get("caption"), table]))


def _render_container(block: Block, width: int) -> str:
    title = _object(block.get("title"))
    return "\n".join(filter(None, [title, render_blocks(block.get("child_blocks", []), width)]))


def _render_chart(block: Block, _width: int) -> str:
    return f"[chart: {block.get('title', '')}]"


def _render_image(block: Block, _width: int) -> str:
    return f"[image: {block.get('alt_text', '')}]"


def _render_markdown(block: Block, width: int) -> str:
    return _wrap(str(block.get("text", "")), width)


def _render_section(block: Block, width: int) -> str:
    lines = [_wrap(_object(block.get("text")), width)] if "text" in block else []
    lines += [_wrap(_object(one), width) for one in block.get("fields", [])]
    if "accessory" in block:
        lines.append(_element(block["accessory"]))
    return "\n".join(lines)


def _render_rich_text(block: Block, width: int) -> str:
    return "\n".join(_render_part(part, width) for part in block.get("elements", []))


def _render_part(part: Block, width: int) -> str:
    kind, elements = part.get("type"), part.get("elements", [])
    if kind == "rich_text_list":
        return _render_list(part, width)
    text = "".join(map(_inline, elements))
    if kind == "rich_text_preformatted":
        return textwrap.indent(text, CODE_INDENT, lambda _line: True)
    if kind == "rich_text_quote":
        return textwrap.indent(_wrap(text, width - 2), "> ", lambda _line: True)
    return _wrap(text.rstrip("\n"), width)


def _render_list(part: Block, width: int) -> str:
    lines = []
    for number, item in enumerate(part.get("elements", []), 1 + part.get("offset", 0)):
        mark = f"{number}. " if part.get("style") == "ordered" else "• "
        indent = "  " * part.get("indent", 0)
        text = _wrap("".join(map(_inline, item.get("elements", []))), width - len(indent + mark))
        first, *rest = text.splitlines() or [""]
        lines.append(indent + mark + first)
        lines += [" " * len(indent + mark) + line for line in rest]
    return "\n".join(lines)


def _inline(element: Block) -> str:
    kind = element.get("type")
    if kind == "link":
        url = str(element.get("url", ""))
        return f"{element['text']} ({url})" if element.get("text") else url
    if kind == "emoji":
        return f":{element.get('name', '')}:"
    if kind in {"user", "channel", "usergroup"}:
        sign = "#" if kind == "channel" else "@"
        return sign + str(element.get(f"{kind}_id", ""))
    if kind == "broadcast":
        return f"@{element.get('range', '')}"
    if kind == "date":
        return str(element.get("fallback") or element.get("timestamp", ""))
    return str(element.get("text", ""))


def _object(value: Any) -> str:
    """Render a text object, or an image among them."""
    if not isinstance(value, dict):
        return ""
    if value.get("type") == "image":
        return f"[image: {value.get('alt_text', '')}]"
    text = str(value.get("text", ""))
    return render_mrkdwn(text) if value.get("type") == "mrkdwn" else text


def _element(element: Block) -> str:
    label = _object(element.get("text")) or _object(element.get("placeholder"))
    return f"[{label or element.get('type', '')}]"


def _cell(cell: Block) -> str:
    if cell.get("type") == "rich_text":
        return " ".join(_render_rich_text(cell, 10_000).split())
    return " ".join(str(cell.get("text", cell.get("value", ""))).split())


def _right_aligned(block: Block) -> set[int]:
    settings = block.get("column_settings") or []
    right = {i for i, one in enumerate(settings) if one and one.get("align") == "right"}
    for row in block.get("rows", []):
        right |= {i for i, cell in enumerate(row) if cell.get("type") == "raw_number"}
    return right


def _wrap(text: str, width: int) -> str:
    lines = []
    is_code = False
    for line in text.split("\n"):
        is_code ^= line.count("```") % 2 == 1
        if is_code or len(line) <= width:
            lines.append(line)
        else:
            lines += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


RENDERERS: dict[str, Callable[[Block, int], str]] = {
    "actions": _render_actions,
    "alert": _render_alert,
    "container": _render_container,
    "context": _render_context,
    "data_table": _render_table,
    "data_visualization": _render_chart,
    "divider": _render_divider,
    "header": _render_header,
    "image": _render_image,
    "input": _render_input,
    "markdown": _render_markdown,
    "rich_text": _render_rich_text,
    "section": _render_section,
    "table": _render_table,
}
