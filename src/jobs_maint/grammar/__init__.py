"""Words → `Command`: one declaration of each word, for the shell and for Slack.

Parsing never exits, prints, prompts, or reads the environment or files; what is wrong with the
words is raised as InvalidRequest. Help, completion and the usage table of the docs come from the
same declarations, `WORDS`.
"""

from jobs_maint.grammar.command import Command
from jobs_maint.grammar.completion import build_completion
from jobs_maint.grammar.help import build_help
from jobs_maint.grammar.parsing import parse_words
from jobs_maint.grammar.text import read_dashes, split_text
from jobs_maint.grammar.word import Word
from jobs_maint.grammar.words import WORDS, build_grammar

__all__ = [
    "WORDS",
    "Command",
    "Word",
    "build_completion",
    "build_grammar",
    "build_help",
    "parse_words",
    "read_dashes",
    "split_text",
]
