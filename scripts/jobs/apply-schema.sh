#!/usr/bin/env bash
# Creates or updates the tables of Procrastinate and procrastinate-ops; safe to repeat.
# Usage: apply-schema.sh [--no-indexes]
#        --no-indexes: none on the tables of Procrastinate
set -euo pipefail
# shellcheck disable=SC1091 source=lib/common.sh source-path=SCRIPTDIR
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

read_arguments '--no-indexes' "$@"
expect_words 0 0
exec_jobs_maint schema apply ${OPTIONS[@]+"${OPTIONS[@]}"}
