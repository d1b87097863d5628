# make run | make test | make check: each sets up what it needs in .venv from a fresh clone.
PYTHON ?= python3
ONCE ?=
PROCESSES ?= 2
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
INPUTS := pyproject.toml constraints.txt
TOOLS := .venv-tools/bin
COMPILE := $(TOOLS)/uv pip compile --quiet --generate-hashes --python-version 3.11.4 --python-platform linux --no-annotate --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help run test check format lint types lock sbom audit clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kegui needs Python 3.11 or newer, as PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python $(INPUTS)
	@echo "installing ..."
	@$(PIP) --constraint constraints.txt --editable .
	@touch $@

.venv/.dev: .venv/.run
	@echo "installing what the tests need ..."
	@$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: .venv/.run ## play a business day against the sandbox, then leave the console open (ONCE=1: end)
	@.venv/bin/kegui run --day $(if $(ONCE),--once)

test: .venv/.dev ## run the whole test suite
	@.venv/bin/python -m pytest -q --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder --durations 25 $(ARGS)

check: .venv/.dev ## formatting, lint, types, the order of imports, migrations equal models
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q tests/test_migrations.py

format: .venv/.dev ## format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

.venv-tools/.made: tools.lock
	@$(PYTHON) -m venv .venv-tools
	@$(TOOLS)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement tools.lock
	@touch $@

lock: .venv-tools/.made ## write down anew, with digests, what the image and the tools install
	$(COMPILE) --output-file requirements.lock --constraint constraints.txt pyproject.toml requirements.in
	$(COMPILE) --output-file tools.lock tools.in

sbom: .venv-tools/.made ## install what the image has, and list it in var/sbom.cdx.json (CycloneDX)
	@rm -rf var/image && mkdir -p var && $(PYTHON) -m venv --without-pip var/image
	@$(TOOLS)/uv pip install --quiet --python var/image/bin/python --require-hashes --requirement requirements.lock
	@$(TOOLS)/uv pip install --quiet --python var/image/bin/python --offline --no-deps --no-build-isolation --editable .
	@var/image/bin/kegui --help >/dev/null
	@$(TOOLS)/cyclonedx-py environment var/image/bin/python --pyproject pyproject.toml --of JSON --output-file var/sbom.cdx.json

audit: .venv-tools/.made ## ask whether what the image installs has known weaknesses
	@$(PYTHON) -m tests.supply.audit $(TOOLS)/pip-audit requirements.lock

clean: ## remove the virtual environment and everything made at run time
	rm -rf .venv .venv-tools var .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
