# The commands people run; `make` alone lists them. What was made stays until its inputs change:
# each step leaves a stamp. Written for the make 3.81 of macOS too: programs by their path.

SHELL := bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := build/stamps
PORT ?= 8000

# small networks are slower with two threads; nbgrader and Jupyter start programs by bare name
export OMP_NUM_THREADS := 1
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1

PACKAGING := pyproject.toml setup.py constraints.txt
PACKAGE := $(shell find dlcourse -name '*.py' -o -name '*.json' -not -path '*/__pycache__/*')
SHEETS := $(wildcard solutions/*.py) $(filter dlcourse/checks/% dlcourse/grading/%,$(PACKAGE))
PROSE := index.md references.bib $(wildcard chapters/*.md pages/*.md)
BOOK := $(PROSE) _config.yml _toc.yml package-lock.json \
	$(shell find chapters/results pages/course.yml _ext _static -type f -not -path '*/__pycache__/*')

.PHONY: help course test test-all check lab serve bench lighthouse update clean environment site \
	sample wheel sheets print

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

course: environment sheets wheel site sample ## build everything, grade a sample class, show where
	@echo
	@echo "Site:    _build/html/index.html   (make serve, then http://localhost:$(PORT))"
	@echo "Report:  $$(ls build/sample/*/build/reports/*.html)"

test: $(VENV)/dev.stamp ## everything that gates, with a table of minutes
	@$(PY) tests/gate.py

test-all: $(VENV)/dev.stamp ## the same with what is slow: 100 seeds
	@$(PY) tests/gate.py --slow

check: $(VENV)/dev.stamp ## one unit in under a minute: make check SLUG=neurons
	@$(PY) tests/gate.py --slug "$(SLUG)"

lab: environment sheets ## JupyterLab with formgrader, on this folder
	@$(VENV)/bin/jupyter lab

serve: ## the site on http://localhost:8000
	@test -f _build/html/index.html || { echo "No site yet: run make course first."; exit 1; }
	@$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

print: site $(VENV)/dev.stamp ## the whole course as one PDF: build/course.pdf
	@$(PY) _ext/paper.py

bench: $(VENV)/dev.stamp ## speed, as ratios measured in one run
	@for b in benchmarks/[a-z]*.py; do $(PY) "$$b" || exit 1; done

lighthouse: $(VENV)/dev.stamp site ## how fast and how accessible the site's heaviest pages are
	@CHROME_PATH="$$(command -v chromium)" $(PY) benchmarks/lighthouse.py

update: ## renew constraints.txt with the newest versions that fit
	@$(PYTHON) -m venv build/update
	@build/update/bin/python -m pip install --quiet --upgrade pip
	build/update/bin/python -m pip install --upgrade --editable '.[dev,bench]'
	@{ head -1 constraints.txt; build/update/bin/python -m pip freeze --all --exclude-editable \
		--exclude dlcourse --exclude pip | sed 's/+cpu//'; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -r build/update && git diff --stat constraints.txt

clean: ## remove what was built; the environment and an instructor's folders stay
	rm -rf build _build .pytest_cache .hypothesis .mypy_cache .ruff_cache

# The environment -----------------------------------------------------------------------------------

environment: $(VENV)/course.stamp
	@echo "environment: up to date"

$(VENV)/pip.stamp:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
		"Python 3.11 or later is needed, and %s is %s.%s. Install a newer one, then: " \
		"make $(MAKECMDGOALS) PYTHON=python3.12" % (sys.executable, v[0], v[1]))'
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: sudo apt-get install python3-venv"; \
		exit 1; }
	@touch $@

$(VENV)/course.stamp: $(PACKAGING) | $(VENV)/pip.stamp
	@echo "Installing into $(VENV): some 180 packages, a download of about 500 MB, 2 GB on disk, with"
	@echo "torch for the CPU. On Linux plain torch brings CUDA, gigabytes more: the README says how not to."
	@set -o pipefail; $(PY) -m pip install --constraint constraints.txt --editable \
		'.[book,grading,lab,torch]' | sed '/already satisfied/d' \
		|| { echo "Not everything could be installed: the lines above say what. Is there a network?" \
		"What has been downloaded is kept; run make again."; exit 1; }
	@touch $@

$(VENV)/dev.stamp: $(VENV)/course.stamp
	@echo "Installing what the tests need beside it: mypy, ruff and Playwright, about 100 MB."
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# What is built --------------------------------------------------------------------------------------

sheets: $(STAMPS)/sheets
	@echo "sheets: up to date"
$(STAMPS)/sheets: $(SHEETS) | environment
	@mkdir -p $(STAMPS)
	@$(VENV)/bin/dlcourse sheets
	@touch $@

wheel: $(STAMPS)/wheel
	@echo "wheel: up to date"
$(STAMPS)/wheel: $(PACKAGE) $(PACKAGING) $(STAMPS)/sheets
	@echo "Building the wheel that the site serves."
	@rm -rf build/wheels build/lib build/bdist.*
	@$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheels .
	@touch $@

site: $(STAMPS)/site
	@echo "site: up to date"
$(STAMPS)/site: $(BOOK) $(PACKAGE) $(STAMPS)/sheets $(STAMPS)/wheel
	@echo "Building the site; chapters whose code or package changed are executed."
	@# warm only after prose alone, and not after a build that failed: it would hide its warnings
	@[ -z "$(filter-out $(PROSE),$?)" ] && [ -f $@ ] && [ ! -f $@.begun ] \
		|| rm -rf _build/html _build/.doctrees
	@touch $@.begun
	@$(VENV)/bin/jupyter-book build . -W -n --keep-going
	@rm $@.begun && touch $@

sample: $(STAMPS)/sample
	@echo "sample: up to date"
$(STAMPS)/sample: $(SHEETS) $(STAMPS)/sheets
	@$(VENV)/bin/dlcourse sample-class neurons -n 20
	@touch $@
