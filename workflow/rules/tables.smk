# Tables: one tidy CSV per sweep, and the summary that a run ends with.


rule table:
    input:
        scores=lambda wildcards: study.sweep_scores(wildcards.sweep),
    output:
        study.path("tables", "{sweep}.csv"),
    log:
        study.log("tables", "{sweep}"),
    benchmark:
        study.benchmark("tables", "{sweep}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("table.py", **study.table_settings(wildcards.sweep)),
    message:
        "Tabulate {wildcards.sweep}"
    script:
        "../scripts/table.py"


rule summary:
    input:
        tables=study.sweep_tables(),
        claims=study.claims(),
        metrics=expand(
            study.path("training", "{model}", "metrics.json"),
            model=study.trained("language-model") + study.trained("classifier"),
        ),
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
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=study.settings(
            "summary.py", study=study.name, tables=study.tables(), figures=study.figures(), claims=study.claims()
        ),
    message:
        "Summarise the study"
    script:
        "../scripts/summary.py"
