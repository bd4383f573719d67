#!/usr/bin/env bash
# Put the pinned packages of tests/npm/ into build/npm/node_modules, unless they are
# there already.
#
# Usage: scripts/npm-packages.sh
# None of their scripts is run. To take a newer one, change tests/npm/package.json and
# run "npm install --package-lock-only" there.
set -euo pipefail
cd "$(dirname "$0")/.."

pins=tests/npm
place=build/npm
stamp=$place/.installed

mkdir -p "$place"
# Two runs of the tests may come here at once.
exec {lock}>"$place/.lock"
flock --timeout 600 "$lock"

wanted=$(cat "$pins/package.json" "$pins/package-lock.json" | sha256sum)
if [[ -e $stamp && $(<"$stamp") == "$wanted" ]]; then
    exit
fi
if ! command -v npm >/dev/null; then
    echo "npm is missing; install it with: scripts/system-packages.sh nodejs npm" >&2
    exit 1
fi
echo "installing $pins/package-lock.json"
rm -f "$stamp"
cp "$pins/package.json" "$pins/package-lock.json" "$pins/.npmrc" "$place/"
# Whatever npm says while all is well is no news; if not, its last words are.
if ! said=$(cd "$place" && timeout 540 npm ci --ignore-scripts --no-audit --no-fund 2>&1)
then
    echo "npm could not install $pins/package-lock.json:" >&2
    tail -n 20 <<<"$said" >&2
    exit 1
fi
echo "$wanted" >"$stamp"
