# Everything a clone needs: Python 3.11 or newer and make. `make` alone lists the targets.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
# Wheels only: building from source would fetch build tools that no lock file pins.
LOCKED := install --require-hashes --only-binary :all:
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

# Which Python makes the virtual environment; empty: the first of the usual names that is new enough.
PYTHON ?=
# Worker processes of `make test`, most of which wait for something, and more arguments for pytest:
# make test ARGS="-k renewal -x"
WORKERS ?= 3
ARGS ?=

# What `make simulate` plays.
SEEDS ?= 300
DAYS ?= 3
TOKENS ?= 3
SEED ?= 1
SCRIPT ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help dev test test-servers test-backends test-publishing test-sockets soak check simulate fuzz bench ci wheel lock clean

help: ## List the targets
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

dev: $(VENV)/.runtime ## Watch a token being minted, published, renewed and rotated on a local authorization server
	@# By the interpreter, since a script's first line cannot name one below a directory with a space in its name.
	$(PY) -I $(VENV)/bin/token-broker dev $(ARGS)

test: $(VENV)/.test ## Run the tests that need nothing but Python
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not (keycloak or backends or publishing or sockets)" $(ARGS)

test-servers: $(VENV)/.test ## Run the tests against Keycloak (needs java and mvn)
	$(PY) -m pytest -m keycloak $(ARGS)

test-backends: $(VENV)/.test ## Run the slower proofs about secret backends
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m backends $(ARGS)

test-publishing: $(VENV)/.test ## Run the slower proofs about files: system calls, crashes, real consumers (needs strace and Debian packages)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile -m publishing $(ARGS)

test-sockets: $(VENV)/.test ## Run the slower proofs about the socket: other uids, thousands of connections (as root)
	$(PY) -m pytest -m sockets $(ARGS)

soak: $(VENV)/.test ## Run the long forms of all proofs that have one (ARGS="-k torn")
	SOAK=1 $(PY) -m pytest -m soak $(ARGS)

check: $(VENV)/.test ## Lint, formatting, types and layering
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

simulate: $(VENV)/.test ## Play fault scenarios in virtual time (SEEDS=300 DAYS=3 TOKENS=3 SEED=1 SCRIPT=F-16)
	$(PY) -m tests.simulation --seeds $(SEEDS) --days $(DAYS) --tokens $(TOKENS) --seed $(SEED) $(if $(SCRIPT),--script $(SCRIPT))

fuzz: $(VENV)/.fuzz ## Fuzz the socket's parser and routes with atheris for ten minutes (ARGS="--seconds 60")
	$(PY) -m tests.fuzz $(ARGS)

bench: $(VENV)/.test ## Measure cold start, memory and socket reads
	$(PY) -m tests.bench $(ARGS)

ci: ## Do what continuous integration does, from set-up to the last check
	.ci/run

wheel: $(VENV)/.runtime ## Build the wheel into dist/
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

lock: $(VENV)/.test ## Write requirements/*.txt from pyproject.toml (make lock UPGRADE=1 takes newer releases)
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group test --constraints requirements/runtime.txt --output-file requirements/test.txt
	$(COMPILE) --group build --output-file requirements/build.txt
	$(COMPILE) --group fuzz --output-file requirements/fuzz.txt

clean: ## Remove what the other targets made, the virtual environment too
	rm -rf $(VENV) build dist run .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find broker backends tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------- virtual environment
# Stamps, so that `make dev` never pays for the test tools and nothing is installed twice.

$(VENV)/.created:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "setting up $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv $(VENV) && touch $@ && exit 0; \
	    echo "Python's venv module failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "token-broker needs Python 3.11 or newer, and none of these is:" \
	  "$(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)." \
	  "Name one: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.locked: requirements/runtime.txt requirements/build.txt | $(VENV)/.created
	$(PIP) $(LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.locked pyproject.toml broker/bin/token-broker
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.runtime
	$(PIP) $(LOCKED) -r requirements/test.txt
	@touch $@

$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.test
	$(PIP) $(LOCKED) -r requirements/fuzz.txt
	@touch $@
