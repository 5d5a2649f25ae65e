#!/usr/bin/env bash
# Puts all failed jobs back, of one queue or of every one; shows them and asks before.
# Usage: retry-all-failed.sh [queue_name] [--yes] [--dry-run]
#        queue_name: a name, or a pattern such as 'email*'; after -- one such as -rf
#        --yes: do not ask; --dry-run: only show
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '--yes --dry-run' "$@"
expect_words 0 1
# A variable that its caller forgot to set must not mean every queue.
if ((${#WORDS[@]})) && [[ -z ${WORDS[0]} ]]; then
    refuse "queue_name is empty; leave it out for every queue"
fi
exec_jobs_maint retry --all ${OPTIONS[@]+"${OPTIONS[@]}"} ${WORDS[@]+"--queue=${WORDS[0]}"}
