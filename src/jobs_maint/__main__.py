"""`python -m jobs_maint`: the same as `jobs-maint`."""

import sys

from jobs_maint.cli import run_process

if __name__ == "__main__":
    sys.exit(run_process())
