# make table: everything from a fresh clone to the table.   make test: everything from a fresh clone to the tests.
PYTHON ?= python3
RESULTS ?= results
BIN := .venv/bin

.PHONY: table smoke test slow lint clean

table: .venv/installed
	$(BIN)/bench train preset=quick results=$(RESULTS)
	$(BIN)/bench table preset=quick results=$(RESULTS)

smoke: .venv/installed
	$(BIN)/bench train preset=smoke
	$(BIN)/bench table preset=smoke results=results/smoke

test: .venv/tested lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n auto --maxprocesses 4

slow: .venv/tested
	$(BIN)/pytest -m slow

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "bench needs Python 3.10 or newer; run make PYTHON=python3.12, say")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/python pyproject.toml
	$(BIN)/python -m pip install --progress-bar on -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install -e ".[test]"
	touch $@

clean:
	rm -rf .venv results/runs results/smoke
