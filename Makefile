# Every target sets up what it needs. Only Python >= 3.11 and make must be there.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DRILL  ?= mass-delete
TESTS  ?=
# Two workers: the suite starts real servers, more of them only compete.
WORKERS ?= 2

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Make the virtual environment with pinned, hash-checked packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: drill
drill: $(READY) ## Run a full proven drill in a private sandbox (DRILL=table-deleted for another)
	$(BIN)/python -m ops drill run $(DRILL) --target sandbox

.PHONY: test
test: $(READY) ## Run the tests (TESTS="-k name" to choose)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

.PHONY: check
check: $(READY) ## Lint, types, import contracts, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/docs.py --check

.PHONY: bench
bench: $(READY) ## Measure side by side with the peers (BENCH="--full" for two million items)
	$(BIN)/python -m bench $(BENCH)

.PHONY: mutate
mutate: $(READY) ## Mutation tests of the comparison and the writer (MUTATE="--sample 100")
	$(BIN)/python -m tools.mutate $(MUTATE)

.PHONY: up-sandbox
up-sandbox: $(READY) ## Apply infra/ to a running sandbox with the real Pulumi CLI
	$(BIN)/python tools/up_sandbox.py

.PHONY: stacks
stacks: $(READY) ## Apply both example stacks to a sandbox and print every declared setting as found
	$(BIN)/python tools/show_stacks.py

.PHONY: fix
fix: $(READY) ## Apply the formatter and the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: $(READY) ## Write the generated documents
	$(BIN)/python tools/docs.py

.PHONY: lock
lock: $(READY) ## Resolve requirements.lock anew (needs the uv command)
	uv pip compile pyproject.toml --extra infra --extra sandbox --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

.PHONY: clean
clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	$(MAKE) -s -C bench clean
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
