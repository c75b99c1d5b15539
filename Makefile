# SPDX-License-Identifier: GPL-2.0-or-later
# Everything runs in .venv, which is made on first use; PYTHON names the interpreter it is made with.

PYTHON ?= python3
# More arguments for pytest: make test PYTEST_ARGS="-k scan -x"
PYTEST_ARGS ?=

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/stamp

# Tests that share virtual machines stay in one process, the longest begin first (tests/conftest.py).
PYTEST = $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Kernel builds that tests start are no part of this make.
unexport MAKEFLAGS MFLAGS

.NOTPARALLEL:
.PHONY: help setup demo test test-all test-fast check bench clean packages

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

setup: packages $(STAMP) ## install what tests need: Debian packages (real kernels, qemu, gdb) and .venv

packages:
	@sh tools/setup-debian.sh test || echo "make: tests that need what is missing will be skipped" >&2

$(VENV)/requirements: tools/requirements.txt
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh tools/setup-debian.sh check
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install -q -r tools/requirements.txt
	@touch $@

$(STAMP): $(VENV)/requirements pyproject.toml
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: ## expand the README's example, build it, boot it, print what it recorded
	@sh tools/setup-debian.sh demo || echo "make: without the packages above" >&2
	@$(MAKE) --no-print-directory $(STAMP)
	@$(BIN)/python -m tests.demo

test: setup ## all tests; those that need something this machine lacks are skipped, with the reason
	$(PYTEST)

test-all: setup ## all tests; a kernel that cannot be booted is a failure: what CI runs
	LOCALVAR_REQUIRE_VM=1 $(PYTEST)

test-fast: $(STAMP) ## the tests that boot no kernel
	$(PYTEST) -m 'not vm'

check: $(STAMP) ## ruff and mypy --strict
	$(BIN)/ruff check --output-format concise .
	$(BIN)/mypy

bench: $(STAMP) ## localvar beside its peers, in one run
	@sh tools/setup-debian.sh bench
	$(BIN)/python -m tests.bench.run

clean: ## remove .venv, caches and packages
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
