# Works on a fresh clone with Python >= 3.11 (with venv) and make: every target first makes its own .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export HYPOTHESIS_PROFILE ?= ci

.DEFAULT_GOAL := help
.PHONY: help install verify report bench test lint style types tests format clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

install: $(STAMP)  ## make .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("bufferproof needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

verify: $(STAMP)  ## the main job: every built-in strategy through the scenarios around the end of the window
	$(BIN)/bufferproof verify

report: $(STAMP)  ## charts, tables and one HTML page from .bufferproof/; makes a small set of results first if there are none
	$(BIN)/bufferproof report

bench: $(STAMP)  ## the benchmarks in their short form: ratios, in .bufferproof/bench.json
	$(BIN)/python -m benchmarks.short

test: style  ## lint, types and all tests
	@$(MAKE) --no-print-directory -j 2 types tests

lint: style types  ## ruff and mypy

style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# Each process begins with half of the tests, and takes from the other when it has none left.
tests: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

format: $(STAMP)  ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what can be made again
	rm -rf .venv .bufferproof .hypothesis .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
