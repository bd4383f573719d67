# Two commands get you going: "make run" and "make test". "make help" lists the rest.

# Left empty, python3 is used, or another on PATH if that is older than 3.11.
PYTHON ?=
UPGRADE ?= --upgrade
ARGS ?=
VENV := .venv

RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
INSTALL := pyproject.toml scripts/install.sh scripts/find-python.sh

.DEFAULT_GOAL := help
.PHONY: help run demo test check format bench docs dashboards pins clean

help: ## list what can be made
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

run: $(RUN_STAMP) ## install into .venv and start the daemon here, on 127.0.0.1:9878
	@scripts/run.sh $(ARGS)

demo: $(RUN_STAMP) ## a simulated cluster with hub and Prometheus, on the loopback; Ctrl-C ends it
	@$(VENV)/bin/python -m scripts.demo $(ARGS)

test: $(DEV_STAMP) ## run every test with coverage; ARGS="tests/core -x" runs a part
	@scripts/system-packages.sh
	@scripts/npm-packages.sh || test -n "$(ANYWAY)"
	@scripts/test.sh $(ARGS)

check: $(DEV_STAMP) ## lint, format, types, imports, spelling
	@scripts/check.sh

format: $(DEV_STAMP) ## let ruff format and fix what it can
	@$(VENV)/bin/ruff format
	@$(VENV)/bin/ruff check --fix

bench: $(DEV_STAMP) ## measure the daemon beside node_exporter; ARGS="--seconds 10" is quicker, ARGS=--hub the hub, ARGS=--budgets the budgets, ARGS=--pods a node of Kubernetes, ARGS=--dashboards the queries of a cluster's dashboard, ARGS=--pages the pages for people
	@scripts/system-packages.sh prometheus-node-exporter gcc libc6-dev
	@$(VENV)/bin/python -m bench $(ARGS)

docs: $(DEV_STAMP) ## regenerate docs/metrics.md, docs/configuration.md, dashboards and parts of the chart
	@scripts/docs.sh

dashboards: $(DEV_STAMP) ## regenerate grafana/dashboards from its Python
	@$(VENV)/bin/python -m grafana.jouled_dashboards

pins: ## refresh requirements/*.txt; UPGRADE= only adds what is new
	@scripts/pins.sh "$$(scripts/find-python.sh '$(PYTHON)')" $(UPGRADE)

clean: ## remove .venv and everything that was generated
	rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .ruff_cache \
		.pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP): requirements/run.txt $(INSTALL)
	@scripts/install.sh run '$(PYTHON)'

$(DEV_STAMP): requirements/dev.txt requirements/run.txt $(INSTALL)
	@scripts/install.sh dev '$(PYTHON)'
