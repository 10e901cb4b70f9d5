# Everything one does with Crossfade. CI calls nothing else (.ci/run).
# The targets make their own virtual environments; nothing needs to be installed before them but Python, git and make.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that runs and is new enough. One that is merely found may be a shim that does not run.
PYTHON ?= $(shell for python in python3.11 python3; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$python"; break; fi; done)

VENV := .venv
READY := $(VENV)/.ready
SAM_READY := .venv-sam/.ready
ORACLE_READY := .venv-oracle/.ready
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
WITH_SAM := SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/.venv-sam/bin:$(CURDIR)/$(VENV)/bin:$$PATH"
CODE := benchmarks checks crossfade_cli functions layers rehearsal tests

.PHONY: help rehearse test chaos check build bench bench-full oracle clean golden docs lock venv

help:  ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

rehearse: $(READY)  ## Rehearse a healthy and a sick migration of examples/shop on real proxies
	@$(VENV)/bin/crossfade rehearse --scenario all

test: $(READY)  ## Run every test, one short rehearsal of each scenario among them
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile

chaos: $(READY)  ## Try faults at the calls, states and events of migrations: some hundreds in twenty minutes, thousands with EACH=1 or FULL=1
	@$(VENV)/bin/python -m rehearsal.chaos $(if $(FULL),--full) $(if $(EACH),--each) $(if $(SAMPLE),--sample $(SAMPLE)) \
		$(if $(PAIRS),--pairs $(PAIRS)) $(if $(SEED),--seed $(SEED)) $(if $(EDGE),--edge $(EDGE)) \
		$(if $(CHECKPOINT),--checkpoint $(CHECKPOINT))

check: $(READY) $(SAM_READY)  ## Run every check that starts no service: style, types, templates, machines, IAM, docs
	@$(VENV)/bin/ruff format --check $(CODE)
	@$(VENV)/bin/ruff check $(CODE)
	@$(VENV)/bin/mypy $(CODE)
	@$(WITH_SAM) sam validate --region eu-west-1
	@$(IN_VENV) $(VENV)/bin/python -m checks all
	@$(VENV)/bin/python -m pytest -q tests/architecture tests/statemachines/test_shape.py

build: $(READY) $(SAM_READY)  ## Build the stack with SAM and import what was built, where a Python 3.13 starts
	@$(WITH_SAM) sam build
	@$(IN_VENV) $(VENV)/bin/python -m checks smoke

bench: $(READY)  ## Try Crossfade and its peers' decision rules in a seeded world: a sample, within five minutes
	@$(VENV)/bin/python -m benchmarks.rollout $(if $(SEED),--seed $(SEED))

bench-full: $(READY)  ## The same with many runs, half an hour or more; ended early, it goes on where it was
	@$(VENV)/bin/python -m benchmarks.rollout --full --checkpoint build/bench-full.jsonl $(if $(SEED),--seed $(SEED))

oracle: $(ORACLE_READY)  ## Hold the judge's evidence against savvi, which is not ours
	@PYTHONPATH=.:layers/core/python .venv-oracle/bin/python -m pytest -q tests/oracle

golden: $(READY)  ## Rewrite the golden plans in tests/golden from what `crossfade plan` draws now
	@CROSSFADE_GOLDEN=rewrite $(VENV)/bin/python -m pytest -q tests/golden

docs: $(READY)  ## Redraw the diagrams in docs/
	@$(VENV)/bin/python -m checks draw

clean:  ## Remove what the other targets made
	rm -rf $(VENV) .venv-sam .venv-oracle .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: $(READY)  ## Make the virtual environment; the `crossfade` command is in .venv/bin

# -- environments -------------------------------------------------------------
# uv installs in seconds what takes pip a minute. It comes from its own hashed file; where it cannot be had, pip does the same.

$(READY): requirements-dev.txt requirements-uv.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo 'no Python 3.11 or later starts as python3.11 or python3: install one, or set PYTHON=' >&2; exit 1; fi
	@$(VENV)/bin/python -c '' 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV)
	@[ -x $(VENV)/bin/uv ] || $(VENV)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt \
		|| echo 'uv cannot be had; pip installs, which takes longer'
	@if [ -x $(VENV)/bin/uv ]; then \
		$(VENV)/bin/uv pip install -q --python $(VENV)/bin/python --require-hashes -r requirements-dev.txt; \
		$(VENV)/bin/uv pip install -q --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .; \
	else \
		$(VENV)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt; \
		$(VENV)/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

# aws-sam-cli pins an older boto3 than the product, so it lives apart.
$(SAM_READY): requirements-sam.txt $(READY)
	@[ -x .venv-sam/bin/python ] || "$(PYTHON)" -m venv .venv-sam
	@if [ -x $(VENV)/bin/uv ]; then \
		$(VENV)/bin/uv pip install -q --python .venv-sam/bin/python --require-hashes -r requirements-sam.txt; \
	else \
		.venv-sam/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-sam.txt; \
	fi
	@touch $@

# The oracle brings a convex solver along, so it lives apart, too.
$(ORACLE_READY): requirements-oracle.txt $(READY)
	@[ -x .venv-oracle/bin/python ] || "$(PYTHON)" -m venv .venv-oracle
	@if [ -x $(VENV)/bin/uv ]; then \
		$(VENV)/bin/uv pip install -q --python .venv-oracle/bin/python --require-hashes -r requirements-oracle.txt; \
	else \
		.venv-oracle/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-oracle.txt; \
	fi
	@touch $@

# Universal: one file for every Python and platform. No header and no annotations: they would name machines.
COMPILE := $(VENV)/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock: $(READY)  ## Compile the hashed requirements from the .in files
	@$(COMPILE) --universal --python-version 3.11 requirements-uv.in -o requirements-uv.txt
	@$(COMPILE) --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) --universal --python-version 3.11 requirements-sam.in -o requirements-sam.txt
	@$(COMPILE) --universal --python-version 3.11 requirements-oracle.in -o requirements-oracle.txt
	@$(COMPILE) --python-version 3.13 --python-platform aarch64-manylinux_2_28 -c requirements-dev.txt layers/core/requirements.in -o layers/core/requirements.txt
