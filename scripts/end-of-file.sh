#!/usr/bin/env bash
# Give every file exactly one newline at its end; fail if one had to be changed.
#
# Usage: scripts/end-of-file.sh FILE...
set -euo pipefail

changed=0
for file in "$@"; do
    # $(...) drops all trailing newlines; the x keeps it from dropping more.
    content=$(cat -- "$file"; printf x)
    content=${content%x}
    trimmed=$content
    while [[ $trimmed == *$'\n' ]]; do trimmed=${trimmed%$'\n'}; done
    [[ -z $trimmed || $content == "$trimmed"$'\n' ]] && continue
    printf '%s\n' "$trimmed" >"$file"
    echo "fixed the end of $file"
    changed=1
done
exit "$changed"
