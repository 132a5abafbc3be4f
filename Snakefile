"""lm-interpolation: data, models, points, texts, scores, tables, figures, claims. See README.md."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

# The package beside this file, whatever other of its name is installed or lies on PYTHONPATH.
HERE = workflow.current_basedir.get_path_or_uri(secret_free=True)
sys.path.insert(0, os.path.join(HERE, "src"))

from lm_interpolation.study.config import typed_overrides
from lm_interpolation.study.config_files import read_config
from lm_interpolation.jobs.finished import forget
from lm_interpolation.study.launch import prepare
from lm_interpolation.jobs.provenance import restore
from lm_interpolation.jobs.runtime import UserError, short_path
from lm_interpolation.study.study import Study, alternatives

try:
    prepare(HERE)
    # Snakemake has read them already, but not strictly.
    for path in map(short_path, workflow.overwrite_configfiles or ["config/config.yaml"]):
        read_config(path)
except UserError as error:
    raise WorkflowError(str(error)) from None

# A study replaces the default one; Snakemake would merge the two files.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


update_config(config, typed_overrides(workflow.config_settings.config))

try:
    study = Study(config)
except UserError as error:
    files = ", ".join(map(short_path, workflow.configfiles)) or "config"
    raise WorkflowError(f"{files}: {str(error).removeprefix('config: ')}") from None

# Scripts get the config with its defaults filled in.
config.clear()
config.update(study.config)


# Said once, not by each of the jobs, which read this file again.
if workflow.is_main_process:
    for path, reason in study.left_out.items():
        print(f"{path} is left out: {reason}", file=sys.stderr)
    for note in study.notes:
        print(note, file=sys.stderr)


wildcard_constraints:
    prompts=alternatives(list(config["prompts"])),
    tokenizer=alternatives(list(config["tokenizers"])),
    sweep=alternatives(study.scored_sweeps()),
    search=alternatives(list(config["searches"])),
    trial=alternatives(study.trial_names()),
    figure=alternatives(list(config["figures"])),
    line=alternatives(study.line_names()),


include: "workflow/rules/report.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/leaks.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/points.smk"
include: "workflow/rules/texts.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/analyses.smk"
include: "workflow/rules/searches.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/manifest.smk"
include: "workflow/rules/fetch.smk"


rule all:
    default_target: True
    input:
        study.results(),
        study.path("manifest.json"),
    message:
        "The study is complete"


rule figures:
    input:
        study.figures(),
    message:
        "All figures are there"


rule claims:
    input:
        study.claims(),
    message:
        "The verdicts are there"


rule explorer:
    input:
        study.path("explorer.html"),
    message:
        "The explorer is there"


rule quick:
    input:
        lambda wildcards: study.quick(),
    message:
        "The quick part is there"


# Each figure by its own name: snakemake fig7
for name in config["figures"]:

    rule:
        name:
            name
        input:
            study.figure(name),
        message:
            "{rule} is there"


# Whoever asks for a figure that is left out is told why.
for path in study.left_out:
    if path.startswith("figures."):

        rule:
            name:
                path.removeprefix("figures.")
            input:
                lambda wildcards, path=path: study.refuse(path),


# Snakemake's notes on results that came without them, before it plans.
if workflow.is_main_process:
    adopt = ["make adopt", *(f"CONFIG={short_path(file)}" for file in workflow.overwrite_configfiles)]
    adopt += ["ARGS=... as here"] * bool(workflow.config_settings.config)
    try:
        for line in restore(study.path(), workflow, " ".join(adopt)):
            print(line, file=sys.stderr)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    except OSError as error:
        raise WorkflowError(f"{error.filename}: {error.strerror}") from None


onsuccess:
    # After a run of everything there is no training whose end went unnoticed.
    if set(workflow.dag_settings.targets) <= {"all"}:
        forget(Path(study.path("scratch")))
    # These have told what they found. Where only a part of the study was asked for, the summary is absent, or that of an
    # earlier run.
    if not {"verify", "fetch"} & set(workflow.dag_settings.targets):
        if os.path.exists(study.path("summary.txt")):
            print(Path(study.path("summary.txt")).read_text(encoding="utf-8"), end="")
        else:
            print(study.progress(), file=sys.stderr)
