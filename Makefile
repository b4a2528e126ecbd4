# The verbs of this project; `make` alone lists them.
#
# Everything runs inside .venv, made from the locked tests/requirements.txt. Downloads, built programs and
# image layers are kept in $COMPRESSION_OPERATOR_CACHE (default ~/.cache/compression-operator), keyed by content.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN := PYTHONPATH=tests:operator:jobs OMP_NUM_THREADS=1 $(BIN)/python
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help demo examples test lint cluster-up cluster-down cluster-status bench-compression lock generate pin-images clean

help: ## Show the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(VENV)/.ready: tests/requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it or say make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.7'
	@echo "installing the locked packages into $(VENV)"
	@# Compiled once here: with PYTHONDONTWRITEBYTECODE every process that loads Paddle would compile it again.
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --no-deps --require-hashes -r tests/requirements.txt
	@touch $@

demo: $(VENV)/.ready ## One manifest from apply to a live prediction (on your cluster: KUBECONFIG=... REGISTRY=...)
	@$(RUN) -m demo $(if $(REGISTRY),--kubeconfig '$(KUBECONFIG)' --registry '$(REGISTRY)') $(if $(CA),--ca '$(CA)')

examples: $(VENV)/.ready ## Detection, recognition and speech end to end on the cluster, each figure beside its bound
	@$(RUN) -m demo.examples $(NAMES)

test: $(VENV)/.ready ## Everything: unit, property, chart, component, API, end to end
	@$(RUN) -m suite

lint: $(VENV)/.ready ## ruff, mypy (strict), import contracts, generated files up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy operator/compression_operator jobs/compression_contract
	@PYTHONPATH=operator:jobs $(BIN)/lint-imports
	@$(RUN) -m compression_operator.api.generate --check

cluster-up: $(VENV)/.ready ## Start the one-node Kubernetes (idempotent)
	@$(RUN) -m cluster up

cluster-down: $(VENV)/.ready ## Stop it and remove its state; caches stay
	@$(RUN) -m cluster down

cluster-status: $(VENV)/.ready ## What of it runs
	@$(RUN) -m cluster status

generate: $(VENV)/.ready ## Write crds/ and the chart's copies from the API models
	@$(RUN) -m compression_operator.api.generate

bench-compression: $(VENV)/.ready ## Measure compression beside its peers; every figure with its bound
	@$(RUN) -m bench $(NAMES)

lock: $(VENV)/.ready ## Resolve every requirements file anew, with hashes
	@$(RUN) -m cluster.images.lock

pin-images: $(VENV)/.ready ## Print `docker build` lines whose bases are pinned by digest (asks the public registries)
	@$(RUN) -m cluster.images.pin

clean: ## Remove what the verbs left in the checkout
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
