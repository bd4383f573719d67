#!/usr/bin/env bash
# Print the Python to use: the one asked for, else python3 or another from 3.11 on.
#
# Usage: scripts/find-python.sh [PYTHON]
set -euo pipefail

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [[ -n ${1:-} ]]; then
    candidates=("$1")
else
    candidates=(python3 python3.14 python3.13 python3.12 python3.11)
fi

for candidate in "${candidates[@]}"; do
    if is_new_enough "$candidate"; then
        command -v "$candidate"
        exit
    fi
done

echo "no Python 3.11 or later found (tried: ${candidates[*]})." >&2
echo "Install one, or name it: make run PYTHON=/path/to/python3.11" >&2
exit 1
