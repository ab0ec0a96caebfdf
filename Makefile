# Every command of the project. `make` alone lists them. Needs GNU make and Python 3.11 with venv, no more.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Debian's python3 is enough; a python3.11 beside a newer one is preferred, as the locked set is made for it.
PYTHON ?= $(shell for p in python3.11 python3; do "$$p" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; exit 0; }; done; echo python3)
BIN := .venv/bin
# Three workers on two cores: tests wait for their servers a quarter of the time. The same on every machine.
JOBS ?= 3
PYTEST := $(BIN)/python -m pytest
# Compiled modules are kept whatever the environment says: else every process would compile Django anew.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.PHONY: help demo demo-stop demo-status demo-reset tour install install-dev browser test fast check lint types \
	contracts migrations fmt lock env bench bench-load bench-learning

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 16

demo: install ## Start everything on this machine, with real history; Ctrl-C ends it (MAESTRO_PORT=8000)
	@exec $(BIN)/python -m maestro.embedded up --with-parent

demo-stop: ## End a demo that runs elsewhere
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m maestro.embedded down; else echo "nothing runs"; fi

demo-status: ## Show the demo's processes, ports and memory
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m maestro.embedded status; else echo "nothing runs"; fi

demo-reset: ## Delete the demo's data and secrets (.maestro); asks if it runs, YES=1 answers
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m maestro.embedded reset $(if $(YES),--yes); else echo "nothing to delete"; fi

tour: install-dev ## Track, register and ask for advice with the stock client, on a running demo
	@exec $(BIN)/python docs/tour.py

install: ## Make .venv with the run-time set
	@command -v $(PYTHON) >/dev/null || { echo "maestro: Python 3.11 is missing: install it, on Debian \`apt-get install python3 python3-venv\`." >&2; exit 1; }
	@exec $(PYTHON) -m maestro.embedded.install run

install-dev: ## Make .venv with what tests and checks need too
	@command -v $(PYTHON) >/dev/null || { echo "maestro: Python 3.11 is missing: install it, on Debian \`apt-get install python3 python3-venv\`." >&2; exit 1; }
	@exec $(PYTHON) -m maestro.embedded.install dev

browser: ## Install Chromium for the browser tests, if it is missing and we are root
	@exec $(PYTHON) -m maestro.embedded.browser

test: install-dev browser ## Run every test, on real servers
	@exec $(PYTEST) -n $(JOBS) --dist loadgroup

# What a change of one room breaks first. The sweeps over every route, the hostile, protocol and isolation suites are in `test`.
ROOMS := architecture maestro tenants tracking registry recommendations
fast: install-dev ## Run the rooms' own tests, without browser, S3 and sweeps over all routes
	@exec $(PYTEST) -n $(JOBS) --dist loadgroup -m "not slow and not browser and not s3" $(ROOMS:%=tests/%)

check: install-dev lint types contracts migrations test ## All that CI runs: lint, types, contracts, migrations, tests

lint: install-dev ## Check the style of Python, templates and JavaScript
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djlint --lint --quiet apps maestro
	@$(BIN)/oxlint --quiet --deny correctness static/*.js
	@$(BIN)/bandit -q -r maestro apps config manage.py -ll -ii

types: install-dev ## Check types
	@$(BIN)/mypy

contracts: install-dev ## Check that imports go down only
	@$(BIN)/lint-imports

migrations: install-dev ## Check that models and migrations agree
	@$(PYTEST) -q tests/architecture -k migrations

fmt: install-dev ## Format the code
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: install-dev ## Resolve requirements*.in again, with hashes
	@for set in requirements requirements-dev requirements-uv; do \
		echo "$$set.txt" && \
		$(BIN)/python -m uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-header $$set.in -o $$set.txt || exit 1; \
	done
	@$(BIN)/python -m uv pip compile -q --upgrade --no-deps --python-version 3.11 --generate-hashes --no-header \
		requirements-meaning.in -o requirements-meaning.txt

env: install ## Write .env with generated secrets, for compose
	@exec $(BIN)/python -m maestro.embedded env

bench: bench-learning ## Run every benchmark

bench-load: install-dev ## Measure ingest and reads beside peers; ARGS="--harness FOLDER --limit --mlflow-python FILE --fill"
	@exec $(BIN)/python -m bench.load $(ARGS)

bench-learning: install-dev ## Measure the learning parts against known truth; ARGS="--make … --score … --data …"
	@exec env OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m bench.learning $(ARGS)
