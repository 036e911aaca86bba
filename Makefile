# The commands of this project. Each may be run again at any time; what is up to date is not done twice.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup run test test-slow lint pictures
.DELETE_ON_ERROR:

setup: $(STAMP)

# The environment is remade only when what it must hold has changed.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Docent needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

run: setup
	$(BIN)/docent models pull || true
	$(BIN)/docent ingest data/documents
	$(BIN)/docent serve

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Screenshots of the real page, for README.md; needs the system's Chromium.
pictures: setup
	$(BIN)/python docs/make_pictures.py
