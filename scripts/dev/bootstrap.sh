#!/bin/sh
# Makes or refreshes .venv from uv.lock. Needs `uv` on the PATH, or else Python 3.11 or newer.
# With arguments, another environment: its folder, then what `uv sync` is to install there.
# Whatever pip and uv are told by their own environment and configuration is left as it is.
set -eu

cd "$(dirname "$0")/../.."

fail() {
    echo "bootstrap: $1" >&2
    exit 1
}

# Machines behind a company's own certificate authority have it in the system's store, which pip's
# configuration names and uv does not read unless told.
if [ -z "${UV_SYSTEM_CERTS:-}" ] && { [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ]; }; then
    export UV_SYSTEM_CERTS=true
fi

# A virtual environment that happens to be active is not ours to change.
unset VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT="${1:-.venv}"
if [ $# -gt 0 ]; then
    shift
else
    set -- --extra slack
fi

# The tools live beside the packages of uv.lock, in a prefix of their own, so that an exact sync
# does not remove uv while it runs.
own_uv=.venv/tools/bin/uv

# The first Python that will do, of all on the PATH: a version manager's shim may stand before the
# machine's own without a Python behind it.
find_python() {
    too_old=
    without_venv=
    for name in python3.11 python3 python3.12 python3.13 python3.14 python; do
        old_ifs=$IFS
        IFS=:
        for folder in $PATH; do
            IFS=$old_ifs
            candidate=$folder/$name
            [ -x "$candidate" ] || continue
            version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
            if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
                too_old=${too_old:-$version}
            elif ! "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
                without_venv=${without_venv:-$version}
            else
                python=$candidate
                return
            fi
        done
        IFS=$old_ifs
    done
    if [ -n "$without_venv" ]; then
        fail "python3-venv is missing (Python $without_venv has no venv or ensurepip module): apt-get install python3-venv"
    elif [ -n "$too_old" ]; then
        fail "python3.11 is missing (the Python found is $too_old): install Python 3.11 or newer, or uv"
    else
        fail "python3.11 is missing: apt-get install python3 python3-venv (3.11 or newer), or install uv"
    fi
}

if command -v uv >/dev/null 2>&1; then
    uv=uv
elif [ -x "$own_uv" ] && "$own_uv" --version >/dev/null 2>&1; then
    uv=$own_uv
else
    find_python
    echo "Making .venv, and getting uv with pip …" >&2
    "$python" -m venv .venv ||
        fail "'$python -m venv .venv' failed; its message is above"
    .venv/bin/python -m pip install --disable-pip-version-check --prefix .venv/tools 'uv>=0.9' >&2 ||
        fail "uv is missing and pip could not download it; is the package index reachable from here?"
    uv=$own_uv
fi

# Its own lines: what it downloads takes a minute or more on a fresh clone.
"$uv" sync --locked "$@" ||
    fail "'uv sync --locked' failed, its message is above: without a network nothing can be downloaded; after a change of pyproject.toml run 'uv lock'"
