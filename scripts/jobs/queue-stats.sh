#!/usr/bin/env bash
# Shows the jobs of each queue by status, then the failures of the last 24 hours by task.
# Usage: queue-stats.sh
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '' "$@"
expect_words 0 0
find_jobs_maint

# Both at once: each takes longer to start than to ask. The one whose answer goes to a file cannot
# see how wide the terminal is.
if [[ -t 1 && -z ${COLUMNS:-} ]]; then
    exec 3<&1
    size=$(stty size <&3 2>/dev/null) && export COLUMNS="${size#* }"
fi
answer=$(mktemp)
trap 'kill "$failures" 2>/dev/null || true; rm -f -- "$answer"' EXIT
"${JOBS_MAINT[@]}" errors --since 24h >"$answer" 2>&1 &
failures=$!

code=0
"${JOBS_MAINT[@]}" stats || code=$?
if ((code)); then # it said why; once is enough
    exit "$code"
fi
wait "$failures" || code=$?
if ((code)); then
    cat -- "$answer" >&2
    exit "$code"
fi
echo
cat -- "$answer"
