"""Block Kit → HTML close to what Slack draws → PNG by a headless Chromium. For developers."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Block = dict[str, Any]
CSS = Path(__file__).with_name("drawing.css")

USERS = {"U0ANA": "ana", "U0VERA": "vera", "U0OLLI": "olli"}
GROUPS = {"S0ONCALL": "on-call"}
COLORS = ("#c5501f", "#2c3d9b", "#4a8a5b", "#8a6d1f", "#7a4a8a", "#8a4a4a")


@dataclass(frozen=True)
class Look:
    name: str
    width: int
    dark: bool


LOOKS = (Look("desktop", 700, dark=False), Look("phone", 390, dark=True))


@dataclass(frozen=True)
class Drawn:
    """One message, or one modal, with what a reader sees around it."""

    title: str
    blocks: list[Block]
    typed: str = ""
    private: bool = False
    view: dict[str, Any] | None = None


def find_chromium() -> str | None:
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def draw(drawn: Iterable[Drawn], look: Look, target: Path, *, height: int = 20_000) -> None:
    """Write one PNG of all of them, cut to their height."""
    chromium = find_chromium()
    if chromium is None:
        raise FileNotFoundError("no chromium on the PATH; it is what draws the pictures")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(build_page(drawn, look), encoding="utf-8")
        base = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        base += [f"--user-data-dir={folder}/profile"]
        found = subprocess.run(
            [*base, "--dump-dom", f"--window-size={look.width},900", page.as_uri()],
            check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if measured := re.search(r'data-height="(\d+)"', found.stdout):
            height = min(int(measured[1]), height)
        subprocess.run(
            [*base, f"--screenshot={target}", f"--window-size={look.width},{height}",
             page.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def build_page(drawn: Iterable[Drawn], look: Look) -> str:
    body = "\n".join(_message(one, look) for one in drawn)
    theme = "dark" if look.dark else "light"
    script = "document.body.dataset.height = document.documentElement.scrollHeight"
    return (
        # No window of Chromium is narrower than 500 px, whatever it is asked.
        f"<!doctype html><meta charset=utf-8><style>{CSS.read_text()}body{{width:{look.width}px}}"
        "</style>"
        f"<body class={theme}>{body}<script>{script}</script></body>"
    )


def _message(one: Drawn, look: Look) -> str:
    title = f"<div class=label>{_e(one.title)}</div>"
    if one.view is not None:
        return title + _modal(one.view, look)
    used = f"<div class=used>@ana used <code>{_e(one.typed)}</code></div>" if one.typed else ""
    private = "<div class=only>Only visible to you</div>" if one.private else ""
    # Slack draws a table at the bottom, wherever it stands.
    blocks = sorted(one.blocks, key=lambda block: block.get("type") == "table")
    inner = "".join(_block(block, look) for block in blocks)
    return (
        f"{title}<div class='message {'private' if one.private else ''}'><div class=icon>⚙️</div>"
        f"<div class=body>{private}<div class=who><b>jobs</b> <span class=app>APP</span>"
        f" <span class=time>12:00 PM</span></div>{used}{inner}</div></div>"
    )


def _modal(view: dict[str, Any], look: Look) -> str:
    inner = "".join(_block(block, look) for block in view["blocks"])
    submit = view.get("submit")
    button = f"<span class='button primary'>{_e(submit['text'])}</span>" if submit else ""
    close = f"<span class=button>{_e(view['close']['text'])}</span>" if "close" in view else ""
    return (
        f"<div class=modal><div class=bar>{_e(view['title']['text'])}</div>"
        f"<div class=inside>{inner}</div><div class=foot>{close}{button}</div></div>"
    )


def _block(block: Block, look: Look) -> str:
    kind = block["type"]
    if kind == "divider":
        return "<hr>"
    if kind == "header":
        return f"<h3>{_e(block['text']['text'])}</h3>"
    if kind == "section":
        texts = [block.get("text"), *block.get("fields", [])]
        inner = "".join(f"<p>{_object(text)}</p>" for text in texts if text)
        side = _element(block["accessory"]) if "accessory" in block else ""
        return f"<div class=section><div>{inner}</div>{side}</div>"
    if kind == "context":
        inner = " ".join(f"<span>{_object(one)}</span>" for one in block["elements"])
        return f"<div class=context>{inner}</div>"
    if kind == "actions":
        return f"<div class=actions>{''.join(map(_element, block['elements']))}</div>"
    if kind == "rich_text":
        return "".join(map(_part, block["elements"]))
    if kind == "table":
        return _table(block)
    if kind == "data_visualization":
        return _chart(block, look)
    return f"<div class=unknown>[{_e(kind)}]</div>"


def _element(element: Block) -> str:
    style = element.get("style", "")
    return f"<span class='button {style}'>{_e(element['text']['text'])}</span>"


def _part(part: Block) -> str:
    inner = "".join(map(_inline, part["elements"]))
    if part["type"] == "rich_text_preformatted":
        return f"<pre>{inner}</pre>"
    if part["type"] == "rich_text_list":
        return f"<ul>{''.join(f'<li>{_part(one)}</li>' for one in part['elements'])}</ul>"
    return f"<div class=rich>{inner}</div>"


def _inline(one: Block) -> str:
    kind = one["type"]
    if kind == "user":
        return f"<span class=mention>@{USERS.get(one['user_id'], one['user_id'])}</span>"
    if kind == "usergroup":
        return f"<b>@{GROUPS.get(one['usergroup_id'], one['usergroup_id'])}</b>"
    if kind == "channel":
        return f"<span class=mention>#{one['channel_id']}</span>"
    if kind == "date":
        return _e(one["fallback"].replace(" UTC", ""))
    text = _e(one.get("text", "")).replace("\n", "<br>")
    style = one.get("style", {})
    for name, tag in (("code", "code"), ("bold", "b"), ("italic", "i"), ("strike", "s")):
        if style.get(name):
            text = f"<{tag}>{text}</{tag}>"
    return text


def _object(text: Block) -> str:
    if text["type"] != "mrkdwn":
        return _e(text["text"])
    shown = text["text"]
    shown = re.sub(r"<!date\^[^|>]*\|([^>]*)>", lambda m: m[1].replace(" UTC", ""), shown)
    shown = re.sub(
        r"<@(\w+)>", lambda m: f"\0span class=mention\1@{USERS.get(m[1], m[1])}\0/span\1", shown
    )
    shown = re.sub(r"<!subteam\^(\w+)>", lambda m: f"@{GROUPS.get(m[1], m[1])}", shown)
    shown = re.sub(r"<#(\w+)>", r"#\1", shown)
    shown = re.sub(r"`([^`]+)`", "\0code\1\\1\0/code\1", shown)
    shown = re.sub(r"\*([^*\n]+)\*", "\0b\1\\1\0/b\1", shown)
    return shown.replace("\n", "<br>").replace("\0", "<").replace("\1", ">")


def _table(block: Block) -> str:
    settings = block.get("column_settings") or []
    rows = []
    for i, row in enumerate(block["rows"]):
        cells = []
        for j, cell in enumerate(row):
            right = j < len(settings) and (settings[j] or {}).get("align") == "right"
            inner = (
                "".join(map(_part, cell["elements"]))
                if cell["type"] == "rich_text"
                else _e(cell["text"])
            )
            tag = "th" if i == 0 else "td"
            cells.append(f"<{tag} class='{'right' if right else ''}'>{inner}</{tag}>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class=scroll><table>{''.join(rows)}</table></div>"


def _chart(block: Block, look: Look) -> str:
    chart = block["chart"]
    names = chart["axis_config"]["categories"]
    series = chart["series"]
    wide, high = min(look.width - 90, 480), 170
    most = max([1, *(point["value"] for one in series for point in one["data"])])
    slot = (wide - 40) / len(names)
    bar = min(slot * 0.8 / len(series), 12)
    shapes = []
    for i, one in enumerate(series):
        values = {point["label"]: point["value"] for point in one["data"]}
        for j, name in enumerate(names):
            size = values.get(name, 0) / most * (high - 40)
            left = 36 + j * slot + (slot - bar * len(series)) / 2 + i * bar
            shapes.append(
                f"<rect x={left:.1f} y={high - 30 - size:.1f} width={bar - 1:.1f} "
                f"height={max(size, 0.6):.1f} fill='{COLORS[i]}'/>"
            )
    for j, name in enumerate(names):
        left = 36 + (j + 0.5) * slot
        shapes.append(f"<text x={left:.1f} y={high - 16} text-anchor=middle>{_e(name)}</text>")
    shapes.append(f"<text x=30 y=18 text-anchor=end>{most}</text>")
    shapes.append(f"<text x=30 y={high - 28} text-anchor=end>0</text>")
    label = chart["axis_config"].get("x_label", "")
    shapes.append(f"<text x={wide / 2} y={high - 2} text-anchor=middle>{_e(label)}</text>")
    legend = " ".join(
        f"<span><i style='background:{COLORS[i]}'></i>{_e(one['name'])}</span>"
        for i, one in enumerate(series)
    )
    return (
        f"<div class=chart><div class=title>{_e(block['title'])}</div>"
        f"<svg width={wide} height={high}>{''.join(shapes)}</svg>"
        f"<div class=legend>{legend}</div></div>"
    )


def _e(text: str) -> str:
    return html.escape(text)
