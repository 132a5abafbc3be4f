# Tables: one tidy CSV per sweep, the descriptions of all tables, and the summary at the end of a run.

from lm_interpolation.study import captions
from lm_interpolation.study.scorers import shown_settings


rule table:
    input:
        scores=lambda wildcards: study.lines.scores(wildcards.sweep),
    output:
        tabulated("{sweep}"),
    log:
        study.log("tables", "{sweep}"),
    benchmark:
        study.benchmark("tables", "{sweep}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("tables/table.py", **study.table_settings(wildcards.sweep)),
    message:
        "Tabulate {wildcards.sweep}"
    script:
        "../scripts/tables/table.py"


rule describe_table:
    input:
        unpack(lambda wildcards: captions.table_inputs(study, wildcards.table)),
    output:
        page=tabulated("{table}", suffix="html", format="page (HTML)"),
        text=study.path("tables", "{table}.md"),
    log:
        study.log("captions", "tables", "{table}"),
    benchmark:
        study.benchmark("captions", "tables", "{table}")
    wildcard_constraints:
        table=alternatives([Path(path).stem for path in study.targets.tables()]),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        script=lambda wildcards, threads: captions.table_script(study, wildcards.table),
        settings=lambda wildcards: study.settings(
            captions.table_script(study, wildcards.table),
            **captions.table_settings(study, wildcards.table),
        ),
    message:
        "Describe table {wildcards.table}"
    script:
        "../scripts/{params.script}"


rule summary:
    input:
        tables=study.targets.sweep_tables(),
        claims=study.targets.claims(),
        metrics=expand(
            study.path("training", "{model}", "metrics.json"),
            model=study.models.trained("language-model") + study.models.trained("classifier"),
        ),
        judges=study.judge_metrics(config["scorers"]),
        leaks=study.path("leaks.json"),
        rounding=expand(study.path("rounding", "{model}.json"), model=study.models.rounding_references()),
    output:
        study.path("summary.txt"),
    log:
        study.log("summary"),
    benchmark:
        study.benchmark("summary")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=lambda wildcards: study.settings(
            "tables/summary.py",
            study=study.name,
            tables=study.targets.tables(),
            figures=study.targets.figures(),
            claims=study.targets.claims(),
            explorer=study.targets.explorer(),
            judges=study.judge_settings(config["scorers"]),
            shown=shown_settings(study.declared),
        ),
    message:
        "Summarise the study"
    script:
        "../scripts/tables/summary.py"
