"""The queues now: counts, what ended lately, how far behind they are."""
