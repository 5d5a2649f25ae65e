#!/usr/bin/env bash
# Deletes jobs that succeeded more than so many days ago; shows how many and asks before.
# Usage: purge-old.sh <days> [--include-failed] [--yes] [--dry-run]
#        --include-failed: failed jobs of that age too
#        --yes: do not ask; --dry-run: only show
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '--include-failed --yes --dry-run' "$@"
expect_words 1 1
expect_days days "${WORDS[0]}"
exec_jobs_maint purge --older-than "${WORDS[0]}d" ${OPTIONS[@]+"${OPTIONS[@]}"}
