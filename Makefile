# Nothing needs to be prepared but Python 3.11 or newer: each target makes the
# virtual environment it needs.  PYTHON=/path/to/python chooses another one.

VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
INPUTS ?= 20000
SEED ?= 0

# twistd finds its plugins by folders, so an editable install has to put this
# folder itself on the path: that is what the compat mode does.
INSTALL = $(PIP) install --quiet --config-settings editable_mode=compat --editable

.PHONY: help run demo test fuzz lint chaos bench bench-check soak docs clean

help:
	@echo "make run    the recorder in the foreground, in-memory store (ARGS=... for options)"
	@echo "make demo   record one synthetic call and say where it lies"
	@echo "make test   lint, types, layers, all tests, coverage"
	@echo "make fuzz   random input for every parser (INPUTS=... for each, SEED=...)"
	@echo "make lint   the first three of these"
	@echo "make chaos  ten minutes of kills, freezes, drains and store restarts"
	@echo "            under 50 calls (ARGS=\"--minutes 5 --seed 7 --calls 20\")"
	@echo "make bench  what it costs: figures, targets, plots, in under ten minutes"
	@echo "            (ARGS=\"--quick --parts capture,store\"; --rst for the documentation)"
	@echo "make bench-check  the same, against the last results of this machine"
	@echo "make soak   24,000 calls in a quarter of an hour: nothing may be left behind"
	@echo "make docs   the documentation, into docs/_build/html"
	@echo "make clean  remove everything that these made, except recordings"

run: $(VENV)/.installed
	$(BIN)/twistd --nodaemon --pidfile= siprec $(ARGS)

demo: $(VENV)/.installed
	$(BIN)/python -m siprec.demo $(ARGS)

# All tests run even where the linters complain; either way the totals of the
# tests are the last line of the output.
test: $(VENV)/.installed-test
	@status=0; \
	$(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m tests.run || status=1; \
	exit $$status

# The same seed gives the same inputs; all processors are used (ARGS="--jobs 1").
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz --inputs $(INPUTS) --seed $(SEED) $(ARGS)

lint: $(VENV)/.installed-test
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports --no-logo || status=1; \
	exit $$status

chaos: $(VENV)/.installed-test
	$(BIN)/python -m tests.functional.chaos $(ARGS)

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks run $(ARGS)

# Nothing is stored as the newest results: those before a change stay what it is compared with.
bench-check: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks check $(ARGS)

soak: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/soak.py $(ARGS)

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) .trial .coverage .coverage.* .mypy_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis build dist siprec.egg-info docs/_build twisted/plugins/dropin.cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@python="$(PYTHON)"; \
	for name in python3.14 python3.13 python3.12 python3.11 python3; do \
	    test -z "$$python" || break; \
	    if $$name -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$name; fi; \
	done; \
	if test -z "$$python"; then \
	    echo "No Python 3.11 or newer with venv found: install one, or set PYTHON." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$python"; \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	$(INSTALL) .
	@$(BIN)/twistd --help | grep 'siprec ' >/dev/null || \
	    { echo "twistd does not list siprec" >&2; exit 1; }
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(INSTALL) '.[$*]'
	@touch $@
