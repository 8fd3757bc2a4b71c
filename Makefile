# `make bench` and `make test` are all a fresh machine needs; the first call sets up, later ones do not.
# Variables: PYTHON (interpreter for .venv), SUITE (what `make bench` runs), JOBS (test processes),
# ARGS (further words for pytest in `make unit`). pip takes its settings from its own environment.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Targets set up the same environment; side by side they would get into each other's way.
.NOTPARALLEL:

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
SUITE ?= benchmarks/suites/quickstart.yaml
JOBS ?= 2
ARGS ?=
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
READY := import sys; sys.exit(sys.version_info < (3, 11))
# The first interpreter that is new enough, unless PYTHON names one.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c '$(READY)' >/dev/null 2>&1 && echo "$$p" && exit; done; echo python3)

.PHONY: help bench test unit matrix lint typecheck format perf perf-check perf-scale docs readme report-quickstart reproduce-check mudata-roundtrip constraints clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' \
		| awk -F'|' 'BEGIN { print "make TARGET, where TARGET is one of" } { printf "%-19s %s\n", $$1, $$2 }'

bench: $(VENV)/.stamp-bench ## Set up, run the quickstart suite, print leaderboard and report
	@$(BIN)/mvgraph run $(SUITE)

test: lint typecheck unit ## Set up, then ruff, mypy and pytest with coverage

unit: $(VENV)/.stamp-test ## Tests with coverage (at least 90 % of mvgraph/)
	@echo "== pytest"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -q -n $(JOBS) --dist loadscope \
		--cov=mvgraph --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)

matrix: $(VENV)/.stamp-venv ## The tests under Python 3.11 to 3.14, as far as they are at hand (ARGS: words for pytest)
	@$(PIP) nox
	@$(BIN)/python -m nox $(if $(ARGS),-- $(ARGS))

lint: $(VENV)/.stamp-test ## ruff: rules and format
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

typecheck: $(VENV)/.stamp-test ## mypy
	@echo "== mypy"
	@$(BIN)/mypy

format: $(VENV)/.stamp-test ## Bring the code into ruff's format
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format .

# A process for each file: memory that one has used and given back is no help and no burden to the next.
perf: $(VENV)/.stamp-test ## Benchmarks of speed at the paper's scale -> reports/perf (a quarter of an hour)
	@$(PIP) -c constraints.txt -e '.[faiss]' pynndescent==0.7.0
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		for file in benchmarks/perf/test_*.py; do \
			$(BIN)/python -m pytest "$$file" -q --scale paper --benchmark-only --benchmark-columns=min,median,rounds \
				--benchmark-json "$$folder/$$(basename "$$file" .py).json" || exit; \
		done && $(BIN)/python scripts/perf_report.py "$$folder"/*.json reports/perf

perf-scale: $(VENV)/.stamp-test ## Growth of time and memory up to a million samples -> reports/perf
	@$(PIP) -c constraints.txt -e '.[faiss]'
	@$(BIN)/python benchmarks/perf/scale.py --sizes 5000 10000 20000 40000 80000
	@$(BIN)/python benchmarks/perf/scale.py --sizes 20000 80000 250000 1000000 --approx ivf

perf-check: $(VENV)/.stamp-test ## Every benchmark of speed once, without timing
	@if compgen -G 'benchmarks/perf/test_*.py' >/dev/null; then \
		echo "== benchmarks, once each"; \
		$(BIN)/python -m pytest benchmarks/perf -q --benchmark-disable; fi

docs: $(VENV)/.stamp-docs ## Documentation in docs/_build/html; warnings are errors
	@OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

report-quickstart: $(VENV)/.stamp-bench ## Write reports/quickstart from runs/quickstart
	@$(BIN)/mvgraph report runs/quickstart --out reports/quickstart

# A report of generated clips says nothing about scenes, so it stays in runs/ and is not committed.
reproduce-check: $(VENV)/.stamp-test ## 120 generated clips, then all of `reproduce avsc` on them with a small VGG
	@$(BIN)/mvgraph data simulate-tau runs/tau-generated --clips-per-class 12 --seed 0
	@$(BIN)/mvgraph reproduce avsc --root runs/tau-generated --small-vgg --side 112 --encoder-epochs 60 --fine-epochs 2 \
		--seeds 2 --k 10 --workers 2 --work runs/reproduce-check --out runs/reproduce-check/report

readme: $(VENV)/.stamp-bench ## Put reports/quickstart/leaderboard.md into the README
	@$(BIN)/python scripts/update_readme.py

# Of its own, because mudata asks for older versions of what we stand on.
mudata-roundtrip: $(VENV)-mudata/.stamp ## Our files through the real mudata and back
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		PYTHONPATH=. $(VENV)-mudata/bin/python -W ignore tests/external/mudata_roundtrip.py "$$folder"

$(VENV)-mudata/.stamp: Makefile
	@echo "Making $(VENV)-mudata ..."
	@"$(PYTHON)" -m venv $(VENV)-mudata
	@$(VENV)-mudata/bin/python -m pip install -qq --disable-pip-version-check mudata==0.3.10
	@touch $@

constraints: $(VENV)/.stamp-venv ## Resolve all extras anew into constraints.txt
	@echo "Resolving in a throw-away environment ..."
	@$(BIN)/python scripts/refresh_constraints.py

clean: ## Remove .venv and caches; runs/ and reports/ stay
	@rm -rf $(VENV) $(VENV)-mudata .nox build dist docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage .coverage.*
	@find baselines benchmarks mvgraph scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	@"$(PYTHON)" -c '$(READY)' 2>/dev/null || { \
		echo "mvgraph needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" --version 2>/dev/null || echo not found); name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-bench: $(VENV)/.stamp-venv pyproject.toml constraints.txt
	@echo "Installing mvgraph[bench] into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -c constraints.txt -e '.[bench]'
	@touch $@

# [dev] holds [bench], so that one installation serves both stamps.
$(VENV)/.stamp-test: $(VENV)/.stamp-venv pyproject.toml constraints.txt
	@echo "Installing mvgraph[dev,media] into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -c constraints.txt -e '.[dev,media]'
	@touch $(VENV)/.stamp-bench $@

$(VENV)/.stamp-docs: $(VENV)/.stamp-venv pyproject.toml constraints.txt
	@echo "Installing mvgraph[bench,docs] into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -c constraints.txt -e '.[bench,docs]'
	@touch $(VENV)/.stamp-bench $@
