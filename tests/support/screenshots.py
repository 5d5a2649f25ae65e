"""`python -m tests.support.screenshots`: the pictures of the docs, from the local Slack's page.

The clock of the page stands still. Beside the pictures lies `words.json`, what each of them says.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from playwright.async_api import Browser, FloatRect, Page, async_playwright

import local_slack
from chatbot import messages as replies
from local_slack.messages import Message
from tests.support.drawing import find_chromium
from tests.support.palette import shrink
from tests.support.scenes import ANA, NOW, OPS, VERA, WORKSPACE, Scene, all_scenes

PICTURES = Path(__file__).parents[2] / "docs/pictures"
WIDTH, PHONE, HEIGHT = 720, 390, 2_000
SHOWN = ".used, .message"
REPLIES = "aside .message:not(:first-child)"


async def shoot(browser: Browser, scene: Scene) -> bytes:
    """One picture; raise ValueError when the page does not show the words of the scene."""
    page = local_slack.Page(roles={ANA: "operator", VERA: "viewer"})
    context = await browser.new_context(
        viewport={"width": PHONE if scene.phone else WIDTH, "height": HEIGHT},
        device_scale_factor=2,
        color_scheme="dark" if scene.phone else "light",
        locale="en-US",
        timezone_id="UTC",
    )
    server = local_slack.LocalSlack.start(WORKSPACE, clock=scene.at.timestamp, page=page)
    async with server as slack, context:
        _post(slack, scene)
        tab = await context.new_page()
        await tab.clock.set_fixed_time(NOW)
        await tab.goto(f"{slack.page_url}#{scene.user}/{OPS}")
        await tab.locator(SHOWN).last.wait_for()
        if scene.opened:
            await tab.locator(".replies").click()
            await tab.mouse.move(0, 0)
            await tab.locator(REPLIES).last.wait_for()
        picture = await tab.screenshot(clip=await _find_edges(tab, scene), animations="disabled")
        await _check(tab, scene)
        await tab.goto("about:blank")
        return await shrink(tab, picture)


def _post(slack: local_slack.LocalSlack, scene: Scene) -> None:
    workspace = slack._workspace
    if scene.typed:
        workspace.add(Message(workspace.next_ts(), OPS, scene.user, scene.typed, kind="command"))
    begin = workspace.next_ts()

    def tell(told: replies.Message, ts: str, *, private: bool = False, **more: str) -> None:
        only = scene.user if private else None
        bot = WORKSPACE.app.bot_user_id
        workspace.add(Message(ts, OPS, bot, told.text, told.blocks, ephemeral_to=only, **more))

    tell(scene.message, begin, private=scene.private)
    for reply in scene.replies:
        tell(reply, workspace.next_ts(), thread_ts=begin)
    if scene.answer is not None:
        tell(scene.answer, workspace.next_ts(), private=True)


async def _find_edges(tab: Page, scene: Scene) -> FloatRect:
    shown = REPLIES if scene.opened else SHOWN
    boxes = [one for there in await tab.locator(shown).all() if (one := await there.bounding_box())]
    top, bottom = boxes[0]["y"], boxes[-1]["y"] + boxes[-1]["height"]
    width = PHONE if scene.phone else WIDTH
    return {"x": 0, "y": top, "width": width, "height": bottom - top}


async def _check(tab: Page, scene: Scene) -> None:
    # A chart's bars are read as the table of its numbers.
    await tab.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    beside = tab.locator(".who, summary, figure svg, .legend")
    await beside.evaluate_all("all => all.forEach(one => one.remove())")
    shown = _count_words(await tab.locator(REPLIES if scene.opened else SHOWN).all_inner_texts())
    meant = _count_words(scene.words)
    if shown != meant:
        raise ValueError(
            f"{scene.name}: the page shows {shown - meant} too much and lacks {meant - shown}"
        )


def _count_words(lines: list[str]) -> Counter[str]:
    return Counter(re.findall(r"\w+", " ".join(lines)))


async def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no chromium on the PATH; it is what takes the pictures.")
    PICTURES.mkdir(exist_ok=True)
    words = {}
    async with async_playwright() as playwright:
        args = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=chromium, args=args)
        for scene in all_scenes():
            path = PICTURES / f"{scene.name}.png"
            path.write_bytes(await shoot(browser, scene))
            words[scene.name] = scene.words
            print(path.relative_to(Path.cwd()))
        await browser.close()
    text = json.dumps(words, indent=2, ensure_ascii=False)
    (PICTURES / "words.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
