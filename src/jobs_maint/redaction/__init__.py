"""Take secrets out of what leaves the core: arguments by key, texts by name and by shape.

What is a secret follows what secret scanners publish: the prefixes and lengths in the rules of
gitleaks, TruffleHog, detect-secrets and GitHub's list of secret scanning partners, and the key
names that Sentry's and Rails' parameter filters know. Every pattern takes linear time.
"""

from __future__ import annotations

from jobs_maint.redaction.apart import measure, run_apart
from jobs_maint.redaction.arguments import redact_args
from jobs_maint.redaction.rules import DEFAULT, HIDDEN, Rules
from jobs_maint.redaction.texts import redact_text, redact_texts

__all__ = [
    "DEFAULT",
    "HIDDEN",
    "Rules",
    "measure",
    "redact_args",
    "redact_text",
    "redact_texts",
    "run_apart",
]
