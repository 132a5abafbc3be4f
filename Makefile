# make run   the quick part of the embedded study, in an environment of its own
# make all   the whole of it (CONFIG=config/sst.yaml: another study; ARGS=...: further arguments of Snakemake)
# make resume   make all after a kill or a lost machine (PROFILE=profiles/slurm: on a cluster)
# make test  checks and tests
# make lock  requirements.lock from requirements.in

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
CORES ?= all

# On a cluster --cores would bound the threads of each job.
ARGUMENTS = $(if $(PROFILE),--profile $(PROFILE),--cores $(CORES)) $(if $(CONFIG),--configfile $(CONFIG))
SNAKEMAKE = $(BIN)/snakemake $(ARGUMENTS)

.PHONY: run all resume test setup lock

run: $(STAMP)
	$(SNAKEMAKE) $(ARGS) -- quick

all: $(STAMP)
	$(SNAKEMAKE) $(ARGS)

resume: $(STAMP)
	$(BIN)/python -m workflow.resume $(ARGUMENTS) $(ARGS)

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/pytest

setup: $(STAMP)

# torch first and alone: left to another package's resolver it comes with gigabytes of CUDA, wanted or not.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; choose another with make PYTHON=...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet $$(grep '^torch==' requirements.lock)
	$(BIN)/pip install --quiet --requirement requirements.lock
	touch $@

# Local versions of torch (+cpu) are left out of the pin, so that it also fits a CUDA build.
lock:
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --output-file requirements.lock requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock
