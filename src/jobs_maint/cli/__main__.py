"""`python -m jobs_maint.cli`: the same as `jobs-maint`."""

import sys

from jobs_maint.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
