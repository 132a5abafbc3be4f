# Losses of a corpus at all points of a sweep, merged in memory: the texts, their losses, the table.


# Also for the kinds layers and model_loss. Runs before anything is trained, so that an unreadable text fails early.
rule loss_texts:
    input:
        unpack(lambda wildcards: study.analysis(wildcards.analysis).texts_inputs(study)),
    output:
        study.path("losses", "texts", "{analysis}.parquet"),
    log:
        study.log("losses", "texts", "{analysis}"),
    benchmark:
        study.benchmark("losses", "texts", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("loss", "layers", "model_loss")),
    priority: 80
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/loss_texts.py", **study.analysis(wildcards.analysis).texts_settings(study)
        ),
    message:
        "Texts of loss {wildcards.analysis}"
    script:
        "../../scripts/analyses/loss_texts.py"


rule evaluate_losses:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        study.path("losses", "{analysis}.parquet"),
    log:
        study.log("losses", "{analysis}"),
    benchmark:
        study.benchmark("losses", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("loss")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/loss.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Loss {wildcards.analysis}"
    script:
        "../../scripts/analyses/loss.py"


rule loss_table:
    input:
        losses=study.path("losses", "{analysis}.parquet"),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("loss")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/loss_table.py", **study.analysis(wildcards.analysis).table_settings(study)
        ),
    message:
        "Tabulate {wildcards.analysis}"
    script:
        "../../scripts/analyses/loss_table.py"
