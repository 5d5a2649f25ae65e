"""The page of the local Slack by the keyboard alone."""

from __future__ import annotations

from playwright.async_api import Locator, Page

UNSEEN = """() => {
  const node = document.activeElement;
  if (node === document.body) return null; // the browser's own bar
  const {outlineStyle, outlineWidth} = getComputedStyle(node);
  const ring = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
  const {left, right, top, bottom} = node.getBoundingClientRect();
  if (right <= 0 || bottom <= 0 || left >= innerWidth || top >= innerHeight) {
    return `${node.outerHTML.slice(0, 200)} has the focus outside of the window`;
  }
  const box = node.closest(".box"); // of the composer, drawn around all of it
  if (ring || (box && getComputedStyle(box).boxShadow !== "none")) return null;
  return `${node.outerHTML.slice(0, 200)} has the focus, and nobody sees it`;
}"""


class Keys:
    """What a person does who has no mouse."""

    def __init__(self, tab: Page) -> None:
        self._tab = tab
        self.type, self.press = tab.keyboard.type, tab.keyboard.press

    async def to(self, target: Locator, key: str = "Tab") -> None:
        """Go there; wherever the focus is on the way, it is visible."""
        for _ in range(40):
            await self.press(key)
            assert not (unseen := await self._tab.evaluate(UNSEEN)), unseen
            if await target.evaluate("node => node === document.activeElement"):
                return
        raise AssertionError(f"the focus never came to {target}")

    async def back_to(self, target: Locator) -> None:
        await self.to(target, "Shift+Tab")

    async def choose(self, target: Locator, first_letters: str) -> None:
        """Of an open menu."""
        await self.to(target)
        await self.press("Space")
        await self.type(first_letters)
        await self.press("Enter")
