# `make demo` and `make test` are all it takes; each sets up what it needs, once.

PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check

# The first release of each dependency that pyproject.toml admits.
FIRST_RELEASES := sqlalchemy==2.0.36 alembic==1.14.0

MEETING_DEPENDENCIES := tests/contract tests/testing tests/operations/test_transfer.py tests/migrations/test_legacy.py \
    tests/migrations/test_revisions.py

# Someone else's environment is none of ours.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV PIP_PREFIX PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_USER
export PYTHONNOUSERSITE := 1

.PHONY: demo test lint docs test-oldest faults bench clean

demo: $(VENV)/.demo  ## Run a small bot on SQLite.
	$(BIN)/python examples/bot.py

test: lint  ## Check style and types, and run all tests; pass more with ARGS="-k trade".
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.dev  ## Build the documentation into site/; any warning is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

test-oldest: $(OLDEST)/.dev  ## Run what meets the dependencies with their first supported releases, on SQLite only.
	$(OLDEST)/bin/python -m pytest -n auto --engines sqlite $(MEETING_DEPENDENCIES) $(ARGS)

faults: $(VENV)/.dev  ## Prove that no write is lost, at full size, and print the figures; takes an hour.
	$(BIN)/python -m pytest tests/faults tests/contract/test_threads.py tests/migrations/test_killed_*.py --thorough $(ARGS)

bench: $(VENV)/.dev  ## Measure costs against their floors; a part with ARGS="-k lifecycle".
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) $(OLDEST) build dist site .coverage htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say what was installed for which pyproject.toml.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) --editable . rich
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) --editable '.[all]' --group dev
	touch $@ $(VENV)/.demo

$(OLDEST)/.dev: pyproject.toml Makefile | $(OLDEST)/bin/python
	$(OLDEST)/bin/python $(PIP) --editable '.[all]' --group test $(FIRST_RELEASES)
	touch $@

# A newer pip than most systems have: it must know dependency groups.
%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "tradestore needs Python 3.11 or newer; name one, as in: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $* || { rm -rf $*; exit 1; }
	$@ $(PIP) --upgrade 'pip>=25.1' || { rm -rf $*; exit 1; }
