# Every target sets up what it needs: a bare Python 3.11 or newer is enough.

.DEFAULT_GOAL := help
SHELL := /bin/bash
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
FITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c "$(FITS)" >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
PARALLEL := --numprocesses=2 --dist=loadfile --no-loadscope-reorder
FUZZ_S ?= 600
# Bytecode is written, as pip leaves it: without it each of the tests' processes compiles every module anew.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A package's release of tonight fails no test of today; `make clean && make LOCK= test` tries the newest of each.
LOCK ?= --constraint requirements.lock

.PHONY: help demo test test-all test-slow fuzz explore lint types bench readme claims api notebooks clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: .venv/base  ## Install if needed, then compare the options of the bundled workload
	@$(BIN)/roi compare

test: .venv/dev  ## Run the quick test suite, before every commit
	@$(BIN)/python -m pytest $(PARALLEL)

test-all: .venv/dev  ## Run what `make test` leaves out, but what needs minutes a test, other databases or a GPU
	@$(BIN)/python -m pytest $(PARALLEL) -m "full and not slow and not gpu and not backend"

test-slow: .venv/dev  ## Run the tests that take minutes or start Postgres and Spark
	@$(BIN)/python -m pytest -m "(slow or backend) and not gpu"

fuzz: .venv/dev  ## Hostile input at every door for ten minutes, new at every run (FUZZ_S=60: a minute)
	@$(BIN)/python -m pytest $(PARALLEL) -m "full and not hypothesis" tests/fuzz
	@end=$$((SECONDS + $(FUZZ_S))); while [ $$SECONDS -lt $$end ]; do \
	  $(BIN)/python -m pytest --numprocesses=2 --hypothesis-profile=explore -m "full and hypothesis" tests/fuzz || exit 1; done

explore: .venv/dev  ## Let Hypothesis explore every property: other examples at every run, ten times as many
	@$(BIN)/python -m pytest $(PARALLEL) --hypothesis-profile=explore -m "hypothesis and not gpu and not backend"

lint: .venv/dev  ## Check style and the floors of the house
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: .venv/dev  ## Check types, strictly
	@$(BIN)/mypy

bench: .venv/dev  ## Measure: comparison, start of commands, usage log against SQL, evaluations, replay, dry runs, a real server
	@$(BIN)/python benchmarks/compare_throughput.py
	@$(BIN)/python benchmarks/start_and_scale.py
	@$(BIN)/python benchmarks/usage_throughput.py
	@$(BIN)/python benchmarks/agents_throughput.py
	@$(BIN)/python benchmarks/quality_speed.py
	@$(BIN)/python benchmarks/replay_speed.py
	@$(BIN)/python benchmarks/dry_run_speed.py
	@$(BIN)/python benchmarks/serve_accuracy.py

readme: .venv/dev  ## Write the program's output into README.md and docs/
	@$(BIN)/python lab/render_readme.py

api: .venv/dev  ## Write docs/api.md: what Python users import, from its docstrings
	@$(BIN)/python lab/render_api.py

notebooks: .venv/dev  ## Run every notebook, write its Jupyter twin and docs/notebooks.md
	@$(BIN)/python lab/render_notebooks.py $(NAMES)

claims: .venv/dev  ## Write docs/claims.md: the article's claims, computed
	@$(BIN)/python lab/render_claims.py

clean:  ## Remove the environment, builds and caches
	rm -rf .venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "roi needs Python 3.11 or newer with venv; none of: $(CANDIDATES)" >&2; exit 1; }
	@echo "Creating .venv with $(PYTHON)" >&2
	@$(PYTHON) -m venv .venv

.venv/base: pyproject.toml | .venv/bin/python
	@echo "Installing roi (once)" >&2
	@$(PIP) install --editable .
	@touch $@

.venv/dev: pyproject.toml requirements.lock | .venv/bin/python
	@echo "Installing roi and its development tools (once)" >&2
	@$(PIP) install $(LOCK) --editable '.[dev]'
	@touch .venv/base $@
