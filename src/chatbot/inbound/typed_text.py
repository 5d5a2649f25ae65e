"""What Slack delivers as the text of a command → the text that was typed."""

from __future__ import annotations

import re

__all__ = ["clean_text"]

_LINK = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")


def _unlink(match: re.Match[str]) -> str:
    target, label = match[1], match[2]
    if target.startswith(("@", "#")):
        # A name that Slack added; the id is what counts.
        return target
    if target.startswith("!"):
        return label or target
    return label or target.removeprefix("mailto:").removeprefix("tel:")


def clean_text(text: str) -> str:
    """Undo Slack's links and escapes; what autocorrect does is for who splits the text."""
    plain = _LINK.sub(_unlink, text)
    # The ampersand last: "&amp;lt;" was typed as "&lt;".
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
