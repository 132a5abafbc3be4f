# Searches of the settings of a training: every trial a job, which keeps its losses but no model.


rule trial:
    input:
        unpack(lambda wildcards: study.training_inputs(config["searches"][wildcards.search]["model"])),
    output:
        metrics=study.path("searches", "{search}", "{trial}", "metrics.json"),
        loss_curve=study.path("searches", "{search}", "{trial}", "loss.csv"),
    log:
        study.log("searches", "{search}", "{trial}"),
    benchmark:
        study.benchmark("searches", "{search}", "{trial}")
    priority: 5
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("train") * study.processes(config["searches"][wildcards.search]["model"])
    resources:
        mem_mb=lambda wildcards, attempt: 8000
        * study.processes(config["searches"][wildcards.search]["model"])
        * attempt,
        runtime=720,
        gpu=lambda wildcards: study.gpu * study.processes(config["searches"][wildcards.search]["model"]),
    params:
        settings=lambda wildcards: study.settings(
            "models/trial.py", **study.trial_settings(wildcards.search, wildcards.trial)
        ),
        execution=lambda wildcards, threads: study.execution(
            threads, **study.training_execution(config["searches"][wildcards.search]["model"])
        ),
    message:
        "Trial {wildcards.search}: {wildcards.trial}"
    script:
        "../scripts/models/trial.py"


rule search_table:
    input:
        metrics=lambda wildcards: study.trial_metrics(wildcards.search),
    output:
        tabulated("{search}"),
    log:
        study.log("tables", "{search}"),
    benchmark:
        study.benchmark("tables", "{search}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: study.settings("models/search_table.py", **study.search_settings(wildcards.search)),
    message:
        "Tabulate {wildcards.search}"
    script:
        "../scripts/models/search_table.py"
