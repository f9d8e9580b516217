# The one door: everything here can be called on a fresh checkout, and CI calls nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PACKAGES := $(VENV)/.debian-packages

SHARDS ?= shards/openmoji
ARGS ?=

.PHONY: install quickstart monitoring test slow check golden format bench clean help

install: $(INSTALLED) ## make .venv with the pinned packages (the other targets do this by themselves)

quickstart: $(INSTALLED) ## build the OpenMoji shards and train on them, a few minutes on a laptop
	$(BIN)/i2i-cluster shards build openmoji $(SHARDS) --size 72
	$(BIN)/i2i-cluster submit examples/quickstart.yaml

monitoring: $(INSTALLED) ## a Prometheus over the sweeps that run on this machine, until Ctrl-C; ARGS="--port N"
	$(BIN)/python -m scripts.monitoring.local $(ARGS)

test: $(INSTALLED) $(PACKAGES) ## the quick tests; ARGS="-k name" is handed to pytest
	$(BIN)/python -m pytest -m "not slow" -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

slow: $(INSTALLED) $(PACKAGES) ## the tests that take longer, an hour and a half: twenty kills of each kind, trainings that must learn; into docs/
	I2I_RELIABILITY=docs/reliability.md I2I_LEARNING=docs/systems $(BIN)/python -m pytest -m slow $(ARGS)

check: $(INSTALLED) ## lint, format, types and the quick tests: what CI runs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@$(MAKE) --no-print-directory test

golden: $(INSTALLED) ## tiny trainings of every system: which have other bits than at HEAD; ARGS="--base COMMIT"
	$(BIN)/python scripts/golden.py $(ARGS)

format: $(INSTALLED) ## let ruff sort imports and lay out the code
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## compare with the budgets (ratios, not seconds); ARGS is handed on
	$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## remove .venv, caches and build output; never runs or shards
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS=$$'\t' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

# A stamp is older than what it was made from: then, and only then, it is made again.
$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes the first time."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[examples,report,test,dev]'
	@touch $@

$(PACKAGES): debian-packages.txt scripts/debian-packages.sh | $(INSTALLED)
	scripts/debian-packages.sh
	@touch $@
