# The commands a newcomer needs; `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
EXTRAS := $(VENV)/.extras
ARGS   ?=

# Where it is set, each of the many short processes compiles all of Dagster anew: 4 s instead of 1.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install install-extras run up test test-fast check format bench lock clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# uv is about five times as fast as pip; where it cannot reach the index that pip is set up for, pip does it.
$(STAMP): requirements/lock.txt requirements/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned set into $(VENV)" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/lock.txt \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps --no-index -e .
	@touch $@

# DVC, MLflow and what the benchmarks compare with: the same pins as above, and theirs.
$(EXTRAS): $(STAMP) requirements/extras.txt
	@echo "installing the extras into $(VENV)" >&2
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/extras.txt \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/extras.txt
	@touch $@

install: $(STAMP) ## make .venv with the pinned set and the command outreach

install-extras: $(EXTRAS) ## DVC, MLflow and what the benchmarks compare with, too

run: $(STAMP) ## sample data, the whole graph once, then the web UI (ARGS=--no-serve returns instead)
	@$(BIN)/outreach demo $(ARGS)

up: $(STAMP) ## web UI, schedules and sensors on the configured databases
	@$(BIN)/outreach up $(ARGS)

test: $(EXTRAS) ## every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(STAMP) ## the tests that take under two minutes together
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

check: $(STAMP) ## lint, format, types, and that the definitions load
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/python -c 'import dagster as dg; from outreach_platform.definitions import defs; dg.Definitions.validate_loadable(defs); print("definitions load")'

format: $(STAMP) ## rewrite the sources in the one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(EXTRAS) ## ratios against the floor and the predecessor's way, in one run
	@$(BIN)/python -m benchmarks $(ARGS)

COMPILE := $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-header --no-annotate

lock: $(STAMP) ## pin anew all that requirements/ holds
	@$(COMPILE) --group dev --group build -o requirements/lock.txt pyproject.toml
	@$(COMPILE) --extra dvc --extra mlflow --group bench -c requirements/lock.txt -o requirements/extras.txt pyproject.toml
	@$(COMPILE) -o requirements/bootstrap.txt requirements/bootstrap.in

clean: ## remove .venv and caches (data stays)
	@rm -rf $(VENV) .pytest_cache .ruff_cache
