# Every target works on a fresh clone: the first one that needs Python packages makes .venv,
# with `uv` where there is one, else with Python 3.11 (scripts/dev/bootstrap.sh).
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ARGS ?=
ROWS ?= 200000
PYTEST_ARGS ?=
# Tests mostly wait for real processes, so more of them than there are cores run at a time.
WORKERS ?= 4

# Images tend to set it, and without .pyc files every process compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
SYNCED := .venv/.synced
COLLECTED := .venv/.collected

.PHONY: help sync demo test lint format-check types contracts tests environments bench soak draw screenshots web docs format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

sync: $(SYNCED) ## Make or refresh .venv from uv.lock

$(SYNCED): pyproject.toml uv.lock scripts/dev/bootstrap.sh
	@echo "Installing what uv.lock names into .venv …" >&2
	@sh scripts/dev/bootstrap.sh
	@touch $@

demo: $(SYNCED) ## The whole product in a browser (ARGS=--terminal, ARGS=--script: a check)
	@$(BIN)/python -m demo $(ARGS)

test: $(SYNCED) ## All a change must pass: lint, types, contracts, tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync types lint format-check contracts $(COLLECTED)
	@$(MAKE) --no-print-directory tests

# The first collection writes .pyc files, of which each worker would else make all by itself.
$(COLLECTED): $(SYNCED)
	@shown=$$($(BIN)/pytest -q --collect-only) || { printf "%s\n" "$$shown"; exit 1; }
	@touch $@

lint: $(SYNCED) ## Ruff's rules
	$(BIN)/ruff check .

format-check: $(SYNCED) ## Ruff's formatting
	$(BIN)/ruff format --check .

types: $(SYNCED) ## mypy, strict
	$(BIN)/mypy

contracts: $(SYNCED) ## import-linter: which layer may import which
	$(BIN)/lint-imports

tests: $(SYNCED) ## pytest without the long fault runs (PYTEST_ARGS="-k purge")
	$(BIN)/pytest -m "not soak and not environments" -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

environments: $(SYNCED) ## Demo, tutorial, containers, frameworks, other servers, servers that stop
	$(BIN)/pytest -m environments $(PYTEST_ARGS)

bench: $(SYNCED) ## Measurements, as ratios (ROWS=200000)
	@test -f benchmarks/__main__.py || { echo "make bench: there are no benchmarks yet (benchmarks/__main__.py is missing)" >&2; exit 2; }
	@$(BIN)/python -m benchmarks --rows $(ROWS)

soak: $(SYNCED) ## The long fault runs
	$(BIN)/pytest -m soak $(PYTEST_ARGS)

draw: $(SYNCED) ## Every Slack message as a picture in build/messages (needs Chromium)
	@$(BIN)/python -m tests.support.draw build/messages $(ARGS)

screenshots: $(SYNCED) ## The pictures of the docs, from the local Slack's page (needs Chromium)
	@$(BIN)/python -m tests.support.screenshots

web: ## Build the local Slack's page from its source (needs Node 20 or newer)
	cd src/local_slack/web && npm ci --ignore-scripts --no-audit --no-fund --silent && npm run --silent build

docs: .venv-site/.synced ## The site of the docs, in build/site
	@.venv-site/bin/python scripts/dev/build_site.py

.venv-site/.synced: pyproject.toml uv.lock scripts/dev/bootstrap.sh
	@echo "Installing the site's generator into .venv-site …" >&2
	@sh scripts/dev/bootstrap.sh .venv-site --only-group site
	@touch $@

format: $(SYNCED) ## Rewrite the sources in ruff's format, with its safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove .venv, caches and build results
	rm -rf .venv .venv-site .cache .demo dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
