#!/usr/bin/env bash
# Run the whole suite and hold it to its coverage, or only a part of it.
#
# Usage: scripts/test.sh [PYTEST-ARGUMENT...]
# With arguments it is a plain pytest; thresholds need the whole suite. One file of
# tests more than there are CPUs runs side by side, for about half of them wait for
# something; WORKERS=0 runs one after the other.
#
# Real daemons on a busy machine can starve. A few tests that failed are run once
# more, alone: what fails again is a failure, what passes is told as unstable.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
# Tests start the program hundreds of times: it is not compiled again for each.
unset PYTHONDONTWRITEBYTECODE

if [[ $# -gt 0 ]]; then
    exec pytest "$@"
fi

WORKERS=${WORKERS:-$(($(nproc) + 1))}
# More than these are no accident.
MOST_UNSTABLE=5

told() {
    grep -cE "^(FAILED|ERROR) $1" build/pytest.log || true
}

# What failed before there was a test, such as to find the tests, is no accident.
failed_by_accident() {
    local tests
    tests=$(told tests/)
    ((tests > 0 && tests <= MOST_UNSTABLE && tests == $(told '')))
}

mkdir -p build
coverage erase
again=build/pytest-again.log
rm -f "$again"
status=0
# Also the daemons that tests start are measured: see [tool.coverage.run] patch.
coverage run -m pytest --numprocesses "$WORKERS" 2>&1 |
    tee build/pytest.log || status=$?
# 1: some tests failed. Anything else is no verdict on tests.
if [[ $status -eq 1 ]] && failed_by_accident; then
    echo "== once more, alone, what failed"
    coverage run -m pytest --last-failed --last-failed-no-failures=none 2>&1 |
        tee "$again"
    status=0
fi
[[ $status -eq 0 ]] || exit "$status"
coverage combine --quiet

failed=0
echo "== coverage of the core: every line and every branch"
coverage report --include='exporter/core/*' --fail-under=100 || failed=1
echo "== coverage of the whole"
coverage report || failed=1

# The closing lines again: they are what one looks for at the end of a long log.
tail -n 1 build/pytest.log
if [[ -e $again ]]; then
    grep -E '^(FAILED|ERROR) ' build/pytest.log | sed 's/^/UNSTABLE, passed alone: /'
    tail -n 1 "$again"
fi
exit "$failed"
