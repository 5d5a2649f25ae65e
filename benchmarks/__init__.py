"""Measurements of the hot paths: ours, Procrastinate's own and bare SQL, in one run, as ratios."""
