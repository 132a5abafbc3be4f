# Tables: one tidy CSV per sweep, the descriptions of all tables, and the summary at the end of a run.

from lm_interpolation.study import captions


rule table:
    input:
        scores=lambda wildcards: study.sweep_scores(wildcards.sweep),
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
        table=study.path("tables", "{table}.csv"),
        judges=lambda wildcards: study.table_judges(wildcards.table),
        tokenizers=lambda wildcards: [folder for _, folder in study.table_tokens(wildcards.table)],
    output:
        page=tabulated("{table}", suffix="html", format="page (HTML)"),
        text=study.path("tables", "{table}.md"),
    log:
        study.log("captions", "tables", "{table}"),
    benchmark:
        study.benchmark("captions", "tables", "{table}")
    wildcard_constraints:
        table=alternatives([Path(path).stem for path in study.tables()]),
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
        tables=study.sweep_tables(),
        claims=study.claims(),
        metrics=expand(
            study.path("training", "{model}", "metrics.json"),
            model=study.trained("language-model") + study.trained("classifier"),
        ),
        judges=study.judge_metrics(config["scorers"]),
        leaks=study.path("leaks.json"),
        rounding=expand(study.path("rounding", "{model}.json"), model=study.rounding_references()),
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
            tables=study.tables(),
            figures=study.figures(),
            claims=study.claims(),
            explorer=study.explorer(),
            judges=study.judge_settings(config["scorers"]),
            shown=study.shown_settings(),
        ),
    message:
        "Summarise the study"
    script:
        "../scripts/tables/summary.py"
