#!/usr/bin/env bash
# Shows the jobs of each queue by status, then the failures of the last 24 hours by task.
# Usage: queue-stats.sh
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '' "$@"
expect_words 0 0
exec_jobs_maint stats --errors
