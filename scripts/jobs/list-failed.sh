#!/usr/bin/env bash
# Lists failed jobs, the newest failure first, each with its error.
# Usage: list-failed.sh [queue_name] [limit=20]
#        queue_name '': every queue; after -- one such as -rf
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '' "$@"
expect_words 0 2
limit=${WORDS[1]-20}
expect_number limit "$limit"
queue=${WORDS[0]-}
exec_jobs_maint failed --limit "$limit" -- ${queue:+"$queue"}
