"""lm-interpolation: data, models, points, texts, scores, tables, figures. See README.md."""

import os

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from workflow.lib.config import typed_overrides
from workflow.lib.runtime import UserError
from workflow.lib.study import Study, alternatives

# A study replaces the default one; Snakemake would merge the two files.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


update_config(config, typed_overrides(workflow.config_settings.config))

try:
    study = Study(config)
except UserError as error:
    files = ", ".join(map(os.path.relpath, workflow.configfiles)) or "config"
    raise WorkflowError(f"{files}: {str(error).removeprefix('config: ')}") from None

# Scripts get the config with its defaults filled in.
config.clear()
config.update(study.config)


wildcard_constraints:
    corpus=alternatives(list(config["corpora"])),
    prompts=alternatives(list(config["prompts"])),
    tokenizer=alternatives(list(config["tokenizers"])),
    sweep=alternatives(list(config["sweeps"])),
    figure=alternatives(list(config["figures"])),
    line=alternatives(study.line_names()),


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/points.smk"
include: "workflow/rules/texts.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        study.path("summary.txt"),
        study.tables(),
        study.figures(),


onsuccess:
    # Where only a part of the study was asked for, it is absent, or that of an earlier run.
    if os.path.exists(study.path("summary.txt")):
        shell(f"cat {study.path('summary.txt')}")
