# `make help` lists what there is: each `## ` beside a target is a line of it, `##@ ` starts a section.

PYTHON ?= python3
VENV := .venv
# Programs run as modules: the first line of an installed script holds the path of Python and cannot quote it.
VENV_PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/installed
CORES ?= all
# Use the package beside this file, even if another of its name is on the path.
export PYTHONPATH := $(CURDIR)/src$(if $(PYTHONPATH),:$(PYTHONPATH))
PEERS := .venv-peers
RUNS ?= 5

# On a cluster --cores would limit the threads of each job. --configfile comes first: it would take targets for files.
ARGUMENTS = $(if $(CONFIG),--configfile $(CONFIG)) $(if $(PROFILE),--profile $(PROFILE),--cores $(CORES))
$(foreach file,$(CONFIG),$(if $(wildcard $(file)),,$(error CONFIG=$(file): no such file; there are $(wildcard config/*.yaml))))
# Hide the messages of Snakemake that help nobody; VERBOSE=1 shows all of them.
QUIET = $(if $(VERBOSE),,--quiet host reason) $(if $(NO_COLOR),--nocolor)
SNAKEMAKE = $(VENV_PYTHON) -m snakemake $(QUIET) $(ARGUMENTS)

.DEFAULT_GOAL := run
.PHONY: help data run all resume verify adopt report steer export lint test test-fast schema bench bench-gpu setup lock readable

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z -]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf "\n%s\n%s\n" "CONFIG=config/mine.yaml: another study. ARGS=...: more arguments for Snakemake. CORES=4. VERBOSE=1." \
	  "PROFILE=profiles/slurm: on a cluster. STUDY, SWEEP, POINT, PROMPT, TO: see docs/steering.md."

##@ A study
data: readable ## download what the study lacks (CONFIG; MIRROR=URL): its files, its models on the hub
	@$(VENV_PYTHON) -m lm_interpolation data $(if $(MIRROR),--mirror $(MIRROR)) $(ARGUMENTS) $(ARGS)

run: readable ## the quick part of the embedded study
	$(SNAKEMAKE) $(ARGS) -- quick

all: readable ## the whole study (CONFIG)
	$(SNAKEMAKE) $(ARGS)

resume: readable ## like all, after a kill or a lost machine
	$(VENV_PYTHON) -m lm_interpolation resume $(QUIET) $(ARGUMENTS) $(ARGS)

# Users' words may contain quotes and $. They reach the shell through the environment, where make does not expand them.
unexport POINT PROMPT TO
steer export: export ASKED_POINT = $(value POINT)
steer: export ASKED_PROMPT = $(value PROMPT)
export: export ASKED_TO = $(value TO)
ASKED = $(if $(CONFIG),--config $(CONFIG)) $(if $(STUDY),--study $(STUDY)) $(if $(SWEEP),--sweep $(SWEEP)) --point="$$ASKED_POINT"

steer: $(STAMP) ## continuations at any point: POINT="alpha=0.7" PROMPT="The movie was"
	@$(VENV_PYTHON) -m lm_interpolation steer $(ASKED) $(if $(value PROMPT),--prompt="$$ASKED_PROMPT") $(ARGS)

export: $(STAMP) ## a point as a Hugging Face folder: POINT="alpha=0.7" TO=my-model
	@$(VENV_PYTHON) -m lm_interpolation export $(ASKED) --to="$$ASKED_TO" $(ARGS)

report: readable ## results/<study>/report.html of a finished study
	$(VENV_PYTHON) -m lm_interpolation report $(if $(VERBOSE),--verbose) $(if $(NO_COLOR),--nocolor) $(ARGUMENTS) $(ARGS)

verify: readable ## compare a finished study with its manifest
	@$(VENV_PYTHON) -m lm_interpolation verify $(ARGUMENTS) $(ARGS)

adopt: readable ## accept copied results whose times changed
	@$(VENV_PYTHON) -m lm_interpolation adopt $(ARGUMENTS) $(ARGS)

# For a slip in YAML, Snakemake would name neither file nor line.
readable: $(STAMP)
	@$(VENV_PYTHON) -m lm_interpolation check --syntax $(or $(CONFIG),config/config.yaml)

##@ Development

setup: $(STAMP) ## the environment in .venv (PYTHON=python3.12: another Python)

lint: $(STAMP) ## formats, types, rules
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m snakefmt --check Snakefile workflow
	$(VENV_PYTHON) -m mypy
	$(VENV_PYTHON) -m snakemake --lint

# The tests of a file share fixtures. Files start in the order of tests/conftest.py, the longest first.
PYTEST = $(VENV_PYTHON) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-fast: $(STAMP) ## the tests for while you work (TESTS="tests/points": some of them)
	$(PYTEST) -m "not slow or quick" $(TESTS)

test: lint ## all checks and tests
	$(PYTEST) $(TESTS)

schema: $(STAMP) ## the JSON schema of the configuration, from the declarations
	$(VENV_PYTHON) -m lm_interpolation.study.schema

# Some benchmarks measure the models of the embedded study.
bench: $(STAMP) $(PEERS)/installed ## our work beside that of others (ONLY="merge scoring", RUNS=5): docs/benchmarks.md
	$(SNAKEMAKE) $(ARGS) -- $(foreach model,base positive negative sentiment-judge grammar-judge judge,results/demo/models/$(model)) results/demo/prompts/neutral.parquet
	$(VENV_PYTHON) -m benchmarks.run $(if $(ONLY),--only $(ONLY)) --runs $(RUNS)

bench-gpu: $(STAMP) ## what needs a GPU
	$(VENV_PYTHON) -m benchmarks.run --only gpu --runs $(RUNS)

$(PEERS)/installed: benchmarks/requirements.txt
	test -x $(PEERS)/bin/pip || $(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet $$(grep '^torch==' benchmarks/requirements.txt)
	$(PEERS)/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt
	touch $@

# torch comes first and alone: as a dependency of another package it would bring gigabytes of CUDA, wanted or not.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; choose another with make PYTHON=...")'
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV)
	$(VENV_PYTHON) -m pip install --quiet $$(grep '^torch==' requirements.lock)
	$(VENV_PYTHON) -m pip install --quiet --requirement requirements.lock
	$(VENV_PYTHON) -m pip install --quiet --no-deps --editable .
	touch $@

# The pin of torch omits a local version (+cpu), so that it also fits a CUDA build.
lock: ## requirements.lock from requirements.in
	$(VENV_PYTHON) -m pip install --quiet pip-tools
	$(VENV_PYTHON) -m piptools compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --output-file requirements.lock requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock
