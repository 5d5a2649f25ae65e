"""Would Slack take our messages? Samples of all of them are checked by Slack; none is posted."""

from __future__ import annotations

from chatbot.messages import Message
from chatbot.messages.message import in_sentences
from chatbot.messages.words import count, cut
from chatbot.setup.findings import AGAIN, error, explain, explain_alone, warning
from chatbot.setup.sample_messages import all_messages, all_views
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import Finding

__all__ = ["validate_samples"]

_REPORT = (
    "Report this to the maintainers of procrastinate-ops; until then its text is sent without "
    "buttons."
)


async def validate_samples(slack: SlackClient) -> list[Finding]:
    """One finding for each sample, with Slack's own words; fewer when Slack stops answering."""
    found: list[Finding] = []
    messages, views = list(all_messages()), list(all_views())
    try:
        for title, *_, message in messages:
            found.append(await _check_message(slack, title, message))
        for title, view in views:
            said = await slack.web.validate("view", slack.stamp.mark_view(view))
            found.append(_refused(title, said) if said else _taken(title))
    except SlackRefused as exc:
        found.append(warning("slack_blocks", explain_alone(exc), "Nothing is to do here."))
    except JobsMaintError as exc:
        left = count(len(messages) + len(views) - len(found), "sample message")
        found.append(warning("slack_blocks", f"Not checked: {left}. {explain(exc)}.", AGAIN))
    return found


async def _check_message(slack: SlackClient, title: str, message: Message) -> Finding:
    said = await _ask(slack, message)
    if not said:
        return _taken(title)
    if not message.instead or await _ask(slack, in_sentences(message)):
        return _refused(title, said)
    return Finding(
        f"slack_blocks:{title}",
        "note",
        f"Slack does not take the message {title!r} as it is: {_join(said)}. Sentences are sent "
        "in its place.",
        "Nothing is to do: new kinds of blocks reach workspaces one after another.",
    )


async def _ask(slack: SlackClient, message: Message) -> tuple[str, ...]:
    marked = slack.stamp.mark(message)
    return await slack.web.validate("message", {"text": marked.text, "blocks": marked.blocks})


def _taken(title: str) -> Finding:
    return Finding(f"slack_blocks:{title}", "ok", f"Slack takes the message {title!r}.")


def _refused(title: str, said: tuple[str, ...]) -> Finding:
    sentence = f"Slack refuses the message {title!r}: {_join(said)}."
    return error(f"slack_blocks:{title}", sentence, _REPORT)


def _join(said: tuple[str, ...]) -> str:
    more = f" and {len(said) - 3} more" if len(said) > 3 else ""
    return cut("; ".join(said[:3]), 500) + more
