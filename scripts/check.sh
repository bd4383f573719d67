#!/usr/bin/env bash
# Everything that can be told without running the program. All of it runs, so
# that one round shows every complaint.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/.venv/bin:$PATH"

failed=()
step() {
    echo "== $*"
    "$@" || failed+=("$1 ${2:-}")
}

file_ends() {
    git grep -lzI '' | xargs -0 scripts/end-of-file.sh
}

step ruff check
step ruff format --check
step mypy
step lint-imports --no-logo
step codespell
step file_ends
if command -v shellcheck >/dev/null; then
    # Whatever a shell runs, whether its name ends in .sh or not.
    mapfile -t shell < <(git grep -lE '^#!/(usr/bin/env bash|bin/sh)' -- . ':!*.md')
    step shellcheck --severity=style "${shell[@]}"
else
    echo "== shellcheck: not installed, left out"
fi

if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "all checks passed"
