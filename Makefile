# make run   the quick part of the embedded study, in an environment of its own
# make all   the whole of it (CONFIG=config/sst.yaml: another study; ARGS=...: further arguments of Snakemake; VERBOSE=1)
# make resume   make all after a kill or a lost machine (PROFILE=profiles/slurm: on a cluster)
# make verify   is the finished study as it was made? (CONFIG; ARGS="--config manifest=FILE": as that rebuild?)
# make adopt   take copied results (no .snakemake, new times) for what the records beside them say (CONFIG, ARGS)
# make report   results/<study>/report.html of the finished study (CONFIG, ARGS)
# make steer STUDY=demo POINT="alpha=0.7" PROMPT="The movie was"   continuations at any point (SWEEP=; ARGS=)
# make export STUDY=demo POINT="alpha=0.7" TO=my-model   that point as a Hugging Face directory: docs/steering.md
# make test  checks and tests
# make bench   our work beside that of others: docs/benchmarks.md (ONLY="merge scoring": some of it; RUNS=5)
# make bench-gpu   what needs a GPU
# make lock  requirements.lock from requirements.in

PYTHON ?= python3
VENV := .venv
# Programs as modules: the first line of their scripts holds the path of Python, which cannot be quoted there.
VENV_PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/installed
CORES ?= all
# The package beside this file, whatever other of its name lies on the path.
export PYTHONPATH := $(CURDIR)/src$(if $(PYTHONPATH),:$(PYTHONPATH))
PEERS := .venv-peers
RUNS ?= 5

# On a cluster --cores would bound the threads of each job. Files of configuration first: they would take targets for files.
ARGUMENTS = $(if $(CONFIG),--configfile $(CONFIG)) $(if $(PROFILE),--profile $(PROFILE),--cores $(CORES))
$(foreach file,$(CONFIG),$(if $(wildcard $(file)),,$(error CONFIG=$(file): no such file; there are $(wildcard config/*.yaml))))
# Of Snakemake's own words those that one can work with; VERBOSE=1: all of them.
QUIET = $(if $(VERBOSE),,--quiet host reason) $(if $(NO_COLOR),--nocolor)
SNAKEMAKE = $(VENV_PYTHON) -m snakemake $(QUIET) $(ARGUMENTS)

.PHONY: run all resume verify adopt report steer export test bench bench-gpu setup lock readable

run: readable
	$(SNAKEMAKE) $(ARGS) -- quick

all: readable
	$(SNAKEMAKE) $(ARGS)

resume: readable
	$(VENV_PYTHON) -m lm_interpolation resume $(QUIET) $(ARGUMENTS) $(ARGS)

# What people write may hold quotes and $: it reaches the shell in the environment, where make has not expanded it.
unexport POINT PROMPT TO
steer export: export ASKED_POINT = $(value POINT)
steer: export ASKED_PROMPT = $(value PROMPT)
export: export ASKED_TO = $(value TO)
ASKED = $(if $(CONFIG),--config $(CONFIG)) $(if $(STUDY),--study $(STUDY)) $(if $(SWEEP),--sweep $(SWEEP)) --point="$$ASKED_POINT"

steer: $(STAMP)
	@$(VENV_PYTHON) -m lm_interpolation steer $(ASKED) $(if $(value PROMPT),--prompt="$$ASKED_PROMPT") $(ARGS)

export: $(STAMP)
	@$(VENV_PYTHON) -m lm_interpolation export $(ASKED) --to="$$ASKED_TO" $(ARGS)

report: readable
	$(VENV_PYTHON) -m lm_interpolation report $(if $(VERBOSE),--verbose) $(if $(NO_COLOR),--nocolor) $(ARGUMENTS) $(ARGS)

verify: readable
	@$(VENV_PYTHON) -m lm_interpolation verify $(ARGUMENTS) $(ARGS)

adopt: readable
	@$(VENV_PYTHON) -m lm_interpolation adopt $(ARGUMENTS) $(ARGS)

# Of a slip in YAML Snakemake would tell neither file nor line.
readable: $(STAMP)
	@$(VENV_PYTHON) -m lm_interpolation check --syntax $(or $(CONFIG),config/config.yaml)

test: $(STAMP)
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m snakefmt --check Snakefile workflow/rules
	$(VENV_PYTHON) -m mypy
	$(VENV_PYTHON) -m snakemake --lint
	$(VENV_PYTHON) -m pytest --numprocesses auto --dist loadfile

# The embedded study's models are what some of it measures.
bench: $(STAMP) $(PEERS)/installed
	$(SNAKEMAKE) $(ARGS) -- $(foreach model,base positive negative sentiment-judge grammar-judge judge,results/demo/models/$(model)) results/demo/prompts/neutral.parquet
	$(VENV_PYTHON) -m benchmarks.run $(if $(ONLY),--only $(ONLY)) --runs $(RUNS)

bench-gpu: $(STAMP)
	$(VENV_PYTHON) -m benchmarks.run --only gpu --runs $(RUNS)

$(PEERS)/installed: benchmarks/requirements.txt
	test -x $(PEERS)/bin/pip || $(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet $$(grep '^torch==' benchmarks/requirements.txt)
	$(PEERS)/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt
	touch $@

setup: $(STAMP)

# torch first and alone: left to another package's resolver it comes with gigabytes of CUDA, wanted or not.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; choose another with make PYTHON=...")'
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV)
	$(VENV_PYTHON) -m pip install --quiet $$(grep '^torch==' requirements.lock)
	$(VENV_PYTHON) -m pip install --quiet --requirement requirements.lock
	$(VENV_PYTHON) -m pip install --quiet --no-deps --editable .
	touch $@

# Local versions of torch (+cpu) are left out of the pin, so that it also fits a CUDA build.
lock:
	$(VENV_PYTHON) -m pip install --quiet pip-tools
	$(VENV_PYTHON) -m piptools compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --output-file requirements.lock requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock
