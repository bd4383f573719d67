#!/usr/bin/env bash
# Regenerate the documents that are made from code. The tests fail when one is stale.
set -euo pipefail
cd "$(dirname "$0")/.."

write() {
    local document=$1
    shift
    # First beside it: a generator that fails leaves the old document alone.
    .venv/bin/python -m "$@" >"$document.new"
    mv "$document.new" "$document"
    echo "wrote $document"
}

write docs/metrics.md exporter metrics --markdown
write docs/configuration.md exporter.config
.venv/bin/python -m grafana.jouled_dashboards
# The generated parts of the chart; it fetches a helm for that.
.venv/bin/python -m scripts.chart
