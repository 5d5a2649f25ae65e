#!/usr/bin/env bash
# Shows one job: its fields, timeline, and every failed attempt with its traceback.
# Usage: job-status.sh <job_id>
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '' "$@"
expect_words 1 1
expect_number job_id "${WORDS[0]}"
exec_jobs_maint status -- "${WORDS[0]}"
