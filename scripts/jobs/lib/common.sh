# shellcheck shell=bash
# What the scripts of this folder share: usage, arguments, and finding jobs-maint.

PROGRAM=$(basename -- "$0")
CHECKOUT=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../../.." >/dev/null && pwd -P)

# The lines of the script's own head that say it.
show_usage() {
    sed -n 's/^# \(Usage: \)/\1/p; s/^# \(       \)/\1/p' -- "$0"
}

# $1: what is wrong. Foreign text in it has been quoted by %q.
refuse() {
    printf '%s: %s\n' "$PROGRAM" "$1" >&2
    show_usage >&2
    exit 2
}

# $1: the options there are, separated by spaces; then the arguments. Sets OPTIONS and WORDS.
# All after `--` is data, also with a dash in front; before it, what looks like an option must be one.
read_arguments() {
    local known=" $1 "
    shift
    OPTIONS=()
    WORDS=()
    while (($#)); do
        if [[ $1 == -- ]]; then
            shift
            WORDS+=("$@")
            return
        elif [[ $1 == --help || $1 == -h ]]; then
            show_usage
            exit 0
        elif [[ $1 == --* && $1 != *' '* && $known == *" $1 "* ]]; then
            OPTIONS+=("$1")
        elif [[ $1 =~ ^--?[a-zA-Z] ]]; then
            refuse "$(printf 'there is no option %q' "$1")"
        else
            WORDS+=("$1")
        fi
        shift
    done
}

# $1: at least, $2: at most so many words.
expect_words() {
    if ((${#WORDS[@]} < $1)); then
        refuse "an argument is missing"
    elif ((${#WORDS[@]} > $2)); then
        refuse "$(printf 'too many arguments: %q' "${WORDS[$2]}")"
    fi
}

# $1: what it is, $2: the text.
expect_number() {
    [[ $2 =~ ^[0-9]+$ ]] || refuse "$(printf '%s is a whole number, not %q' "$1" "$2")"
}

# $1: what it is, $2: the text. The longest span of jobs-maint is a hundred years.
expect_days() {
    if ! [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > 36500)); then
        refuse "$(printf '%s is a whole number from 1 to 36500, not %q' "$1" "$2")"
    fi
}

# Sets JOBS_MAINT to the words that start it.
find_jobs_maint() {
    if command -v jobs-maint >/dev/null; then
        JOBS_MAINT=(jobs-maint)
    elif [[ -x $CHECKOUT/.venv/bin/jobs-maint ]]; then
        JOBS_MAINT=("$CHECKOUT/.venv/bin/jobs-maint")
    elif python3 -P -c 'import jobs_maint' 2>/dev/null; then # -P: nothing of the current folder
        JOBS_MAINT=(python3 -P -m jobs_maint)
    else
        printf '%s: jobs-maint was not found: install procrastinate-ops, or make sync in %s\n' \
            "$PROGRAM" "$CHECKOUT" >&2
        exit 127
    fi
}

# Replaces this process, so that signals and the exit code are those of jobs-maint.
exec_jobs_maint() {
    find_jobs_maint
    exec "${JOBS_MAINT[@]}" "$@"
}
