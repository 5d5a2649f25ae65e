"""What Slack and phones do to typed text is undone."""

import pytest

from chatbot.inbound.typed_text import clean_text
from jobs_maint.grammar import split_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stats", ["stats"]),
        ("failed —since 24h", ["failed", "--since", "24h"]),
        ("failed –since 24h", ["failed", "--since", "24h"]),
        ("—help", ["--help"]),
        ("failed well—known", ["failed", "well—known"]),
        ("failed --error “timed out”", ["failed", "--error", "timed out"]),
        ("failed --error ‘timed out’", ["failed", "--error", "timed out"]),
        ("failed --error can't", ["failed", "--error", "can't"]),
        ("failed --error can’t", ["failed", "--error", "can’t"]),
        ("failed --error “can’t do”", ["failed", "--error", "can’t do"]),
        ("failed --error 'a – b “c”'", ["failed", "--error", "a – b “c”"]),
        ("failed --error —timeout", ["failed", "--error", "—timeout"]),
        ("failed —sinse 1h", ["failed", "--sinse", "1h"]),
        ("failed --error=“timed out”", ["failed", "--error=timed out"]),
        ("retry `4711` *4712* _4713_", ["retry", "4711", "*4712*", "_4713_"]),
        ("*retry 4711*", ["retry", "4711"]),
        ("`retry 4711`", ["retry", "4711"]),
        ("`retry` `4711`", ["retry", "4711"]),
        ("retry --all `web hook`", ["retry", "--all", "web hook"]),
        ("retry --all *mail*", ["retry", "--all", "*mail*"]),
        ("Retry 4711", ["retry", "4711"]),
        ("Failed —Since 24h --Task Send", ["failed", "--since", "24h", "--task", "Send"]),
        ("Help Retry", ["help", "retry"]),
        ("\u200bretry\u2060 \ufeff4711\u200b", ["retry", "4711"]),
        ("failed --error \u200b“timed out”\u200b", ["failed", "--error", "timed out"]),
        ("failed --error &lt;b&gt;&amp;", ["failed", "--error", "<b>&"]),
        ("failed --error &amp;lt;", ["failed", "--error", "&lt;"]),
        ("failed --error <https://x.example|x.example>", ["failed", "--error", "x.example"]),
        ("failed --error <https://x.example>", ["failed", "--error", "https://x.example"]),
        ("failed --error <mailto:a@x.example|a@x.example>", ["failed", "--error", "a@x.example"]),
        ("failed --error <mailto:a@x.example>", ["failed", "--error", "a@x.example"]),
        ("failed <@U0ANA|ana>", ["failed", "@U0ANA"]),
        ("failed <#C0OPS|ops>", ["failed", "#C0OPS"]),
        ("failed <!subteam^S0OPS|@oncall>", ["failed", "@oncall"]),
        ("  retry   4711,4712  ", ["retry", "4711,4712"]),
        ("retry\u00a04711", ["retry", "4711"]),
        ("", []),
    ],
)
def test_the_words_are_those_that_were_typed(text, words):
    assert split_text(clean_text(text)) == words


@pytest.mark.parametrize("text", ["<", ">", "<|>", "<<a|b>", "&", "–", "— ", '"', "<@", "\x00"])
def test_odd_text_is_text(text):
    assert isinstance(clean_text(text), str)
