"""`python -m jobs_maint.cli`: the same as `jobs-maint`."""

import sys

from jobs_maint.cli import main

if __name__ == "__main__":
    sys.exit(main())
