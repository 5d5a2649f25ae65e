#!/usr/bin/env bash
# Puts one failed, cancelled or aborted job back; it runs now.
# Usage: retry-job.sh <job_id>
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '' "$@"
expect_words 1 1
expect_number job_id "${WORDS[0]}"
exec_jobs_maint retry -- "${WORDS[0]}"
