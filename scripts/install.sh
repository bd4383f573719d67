#!/usr/bin/env bash
# Put the project and its pinned packages into .venv.
#
# Usage: scripts/install.sh run|dev [PYTHON]
# "run" is what the daemon needs; "dev" adds the tools of the tests and checks.
set -euo pipefail
cd "$(dirname "$0")/.."

what=$1
venv=.venv

venv_works() {
    "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' \
        2>/dev/null
}

if ! venv_works; then
    python=$(scripts/find-python.sh "${2:-}")
    # Debian and Ubuntu keep this part of the standard library in a package.
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        scripts/apt-install.sh "$("$python" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fi
    echo "creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

# The stamps go first: an install that fails half-way has to be made again.
rm -f "$venv/.installed-run" "$venv/.installed-dev"
echo "installing requirements/$what.txt"
# -qq: warnings about other packages or indexes are not news here; errors are.
"$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes \
    --requirement "requirements/$what.txt"
"$venv/bin/pip" install -qq --disable-pip-version-check --no-build-isolation \
    --no-deps --editable .

touch "$venv/.installed-run"
# dev.txt includes run.txt.
if [[ $what == dev ]]; then
    touch "$venv/.installed-dev"
fi
