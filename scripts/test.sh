#!/usr/bin/env bash
# Run the whole suite and hold it to its coverage, or only a part of it.
#
# Usage: scripts/test.sh [PYTEST-ARGUMENT...]
# With arguments it is a plain pytest; thresholds need the whole suite.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

if [[ $# -gt 0 ]]; then
    exec pytest "$@"
fi

mkdir -p build
coverage erase
# Also the daemons that tests start are measured: see [tool.coverage.run] patch.
coverage run -m pytest 2>&1 | tee build/pytest.log
coverage combine --quiet

failed=0
echo "== coverage of the core: every line and every branch"
coverage report --include='exporter/core/*' --fail-under=100 || failed=1
echo "== coverage of the whole"
coverage report || failed=1

# The closing line again: it is what one looks for at the end of a long log.
tail -n 1 build/pytest.log
exit "$failed"
