"""Words → `Action`: one click group for the shell and for Slack.

Parsing never exits, prints, prompts, or reads the environment or files; what is wrong with the
words is raised as InvalidRequest. Help texts come from here and from nowhere else.
"""

from jobs_maint.grammar.help import build_help
from jobs_maint.grammar.parsing import parse_words
from jobs_maint.grammar.request import Request
from jobs_maint.grammar.text import split_text
from jobs_maint.grammar.words import build_grammar

__all__ = ["Request", "build_grammar", "build_help", "parse_words", "split_text"]
