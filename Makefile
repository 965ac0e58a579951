# The two commands that matter are `make demo` and `make test`; each makes .venv and installs what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/runtime-installed
STAMP := $(VENV)/dev-installed
CLIENTS := $(VENV)/clients-installed
PACKAGING := .cache/packaging
PACKAGING_STAMP := $(PACKAGING)/installed
# Downloads that all checkouts can share lie outside of them, and `make clean` leaves them there.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/app-server-development
REFERENCE_VERSION := $(shell sed -n 's/^WIRE_VERSION = "\(.*\)"$$/\1/p' app_server/version.py)
REFERENCE := $(CACHE)/reference-$(REFERENCE_VERSION)
REFERENCE_STAMP := $(REFERENCE)/installed
TSC := $(CACHE)/tsc

.DEFAULT_GOAL := help
.PHONY: help demo test lint types schema schema-check unit test-clients test-examples test-typescript test-keyring test-browser conformance soak bench
.PHONY: dist zipapp clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

$(RUNTIME): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(STAMP): $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

# Without their own dependencies: see pyproject.toml.
$(CLIENTS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --group clients
	@touch $@

$(PACKAGING_STAMP): pyproject.toml
	$(PYTHON) -m venv $(PACKAGING)
	$(PACKAGING)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(PACKAGING)/bin/python -m pip install --quiet --disable-pip-version-check --group dist
	@touch $@

$(REFERENCE_STAMP):
	mkdir -p '$(REFERENCE)'
	npm install --silent --no-save --no-audit --no-fund --prefix '$(REFERENCE)' @openai/codex@$(REFERENCE_VERSION)
	@touch $@

demo: $(RUNTIME) ## Run the main job offline: sign in, converse, 401, refresh, retry, sign out
	$(BIN)/app-server demo

test: lint types schema-check unit ## Run everything that must pass

lint: $(STAMP) ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Check types
	$(BIN)/mypy
	$(BIN)/mypy examples/python
	MYPYPATH=.ci $(BIN)/mypy -p shipping

schema: $(STAMP) ## Write schema/ anew from the declarations
	$(BIN)/python -m protocol.export

schema-check: $(STAMP) ## Check that schema/ is what the declarations say
	$(BIN)/python -m protocol.export --check

unit: $(STAMP) ## Run the tests, four files at a time: many of them wait
	$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder

test-clients: $(CLIENTS) ## Drive published clients, the official one among them, against this server
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m clients

test-typescript: $(STAMP) ## Check schema/ts and the examples with tsc --strict and Node (needs npm)
	mkdir -p '$(TSC)'
	npm install --silent --no-save --no-audit --no-fund --prefix '$(TSC)' typescript@5 @types/node@20 @types/vscode@1.90
	APP_SERVER_TSC='$(TSC)'/node_modules/.bin/tsc $(BIN)/python -m pytest -m tsc

test-examples: $(STAMP) ## Run the programs of examples/python against the offline upstream
	$(BIN)/python -m pytest -q -m examples

test-keyring: $(STAMP) ## Test logins in a real Secret Service (Debian: apt-get install dbus gnome-keyring)
	$(BIN)/python -m pytest -m keyring

test-browser: $(STAMP) ## Test the pages of a login in headless Chromium (Debian: apt-get install chromium)
	$(BIN)/python -m pytest -m chromium

# The program itself, not the one of Node that starts it: that would leave it behind when it is killed.
conformance: $(STAMP) $(if $(APP_SERVER_REFERENCE),,$(REFERENCE_STAMP)) ## Test this server and the reference alike (needs npm; 300 MB in CACHE, or APP_SERVER_REFERENCE)
	@set -e; export APP_SERVER_REFERENCE="$${APP_SERVER_REFERENCE:-$$(find '$(REFERENCE)' -path '*/vendor/*/bin/codex' -type f | head -n 1)}"; \
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m '' tests/conformance tests/wire/threads/test_reference.py; \
	for peer in ours reference; do \
	  echo "tests/wire, as far as it holds for both servers: $$peer"; \
	  APP_SERVER_TESTS_PEER=$$peer $(BIN)/python -m pytest -q -n 2 --dist loadgroup -p tests.conformance.selection tests/wire; \
	done

soak: $(STAMP) ## Run the long tests
	$(BIN)/python -m pytest -m soak

bench: $(STAMP) ## Measure the server; PEER='command …' measures that beside it
	$(BIN)/python benchmarks/run.py $(if $(PEER),--peer '$(PEER)')

dist: $(PACKAGING_STAMP) ## Build wheel and sdist, and check them in a clean environment
	rm -f dist/app_server-*
	$(PACKAGING)/bin/python -m build --outdir dist .
	$(PACKAGING)/bin/twine check --strict dist/app_server-*
	PYTHONPATH=.ci $(PACKAGING)/bin/python -m shipping.check_dist dist

zipapp: dist ## Build dist/app-server.pyz, one file for this interpreter and this system, and check it
	PYTHONPATH=.ci $(PACKAGING)/bin/python -m shipping.zipapp.build dist/app_server-*.whl dist/app-server.pyz
	PYTHONPATH=.ci $(PACKAGING)/bin/python -m shipping.check_zipapp dist/app-server.pyz

clean: ## Remove what was made here; what was downloaded for all checkouts stays in CACHE
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache
