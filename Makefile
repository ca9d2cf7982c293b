# From a fresh clone with Python 3.11+, make and git:
#
#   make run     the reference portal, with its own PostgreSQL and demonstration people
#   make test    the whole suite; PYTEST_ARGS="-k fees" runs part of it
#   make lint    ruff, mypy, and the direction of imports
#   make bench   timings, as ratios to a floor measured in the same run
#   make docs    docs/reference/ and the table of settings, made anew from the code
#   make wheel   what a council installs, in dist/
#   make clean   remove all that make made, except instance/ (your database)
#
# PYTHON chooses the interpreter; PORT, DATABASE_URL and S2S_DATA_DIR are passed on to the portal.
# All paths are relative, so the folder's own name may have spaces in it.

venv_python := .venv/bin/python
installed := .venv/.installed
packages := node_modules/.installed
assets := s2s_portal/static/govuk/s2s.css

.DEFAULT_GOAL := help
.PHONY: help run test lint bench docs wheel clean assets links anew
.DELETE_ON_ERROR:
.SUFFIXES:
# One thing at a time: what can run at once (the tests) says so itself.
.NOTPARALLEL:

help:
	@sed -n 's/^#   make/make/p' Makefile

# An environment that was made for a checkout elsewhere would import that one: make it again.
ifneq ($(shell cat $(installed) 2>/dev/null),$(shell pwd -P))
$(installed): anew
endif

$(installed): setup.cfg constraints.txt build_support/environment.sh
	@sh build_support/environment.sh

assets: $(assets)

$(packages): package-lock.json | $(installed)
	@$(venv_python) -m build_support.assets

$(assets): $(packages) build_support/assets.py $(wildcard s2s_portal/static/src/*) | $(installed)
	@$(venv_python) -m build_support.assets

links: | $(installed)
	@$(venv_python) -m build_support.links

run: $(installed) $(assets)
	@exec $(venv_python) -m s2s_portal.reference_portal

test: $(installed) $(assets)
	$(venv_python) -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

lint: $(installed) links
	$(venv_python) -m ruff check .
	$(venv_python) -m ruff format --check .
	$(venv_python) -m mypy --package build_support
	cd build/pkg && ../../$(venv_python) -m mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache
	cd build/pkg && ../../.venv/bin/lint-imports --no-logo --config ../../pyproject.toml --cache-dir ../../.import_linter_cache

bench: $(installed) $(assets)
	$(venv_python) -m tests.benchmarks

docs: $(installed)
	$(venv_python) -m build_support.reference

# A leftover of an earlier build would be packed too.
wheel: $(installed) $(assets)
	rm -rf build/lib build/bdist.*
	$(venv_python) -m build --wheel --no-isolation --outdir dist .

clean:
	rm -rf .venv build dist node_modules s2s_portal/static/govuk s2s_portal.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov
	find blueprints build_support migrations s2s_portal templates tests -name __pycache__ -prune -exec rm -rf {} +
