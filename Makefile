# Everyday commands; CI calls the same ones. CONTRIBUTING.md says when to use which.
PYTHON ?= python
RULE = $(CODE)
# The tests of `make test`, as "tests/life tests/rules".
ROOMS ?= tests

.PHONY: help setup test test-torch rule golden lint types docs corpus bench why check

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## install initlint for development, with the tested version of torch
	$(PYTHON) -m pip install -c constraints.txt -e '.[torch,dev]'

test:  ## the tests that need no torch, but for slow ones
	$(PYTHON) -m pytest -q -n 2 -m 'not torch and not slow and not corpus and not hook' $(ROOMS)

test-torch:  ## all tests, as in CI
	$(PYTHON) -m pytest -q -n 2

rule:  ## everything about one rule: make rule CODE=INIT101
	@test -n "$(CODE)" || { echo "name a rule: make rule CODE=INIT101"; exit 2; }
	$(PYTHON) -m initlint rule $(RULE)
	$(PYTHON) -m pytest -q -k $(RULE)

golden:  ## write the expected outputs and generated pages anew; look at the diff
	$(PYTHON) -m pytest -q --update-golden

lint:  ## ruff, on code and tests
	ruff check .
	ruff format --check .

types:  ## mypy, strictly
	mypy

docs:  ## build the site into site/; every warning is an error
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet --strict

corpus:  ## the slow checks over torch, torchvision, timm and transformers
	$(PYTHON) -m pytest -q -m corpus

bench:  ## how fast reading is, against parsing in the same run
	$(PYTHON) tests/benchmarks/reading.py

why:  ## why the rules are silent about a layer: make why FILE=net.py
	@test -n "$(FILE)" || { echo "name a file: make why FILE=net.py"; exit 2; }
	$(PYTHON) -m initlint check --show-layers --select ALL --exit-zero $(FILE)

check: lint types test-torch  ## what a change has to pass
