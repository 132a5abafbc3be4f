# Losses of a corpus under named models: the losses and the table. Rule loss_texts takes the texts from the corpus.


rule evaluate_model_losses:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        study.path("losses", "{analysis}.parquet"),
    log:
        study.log("losses", "{analysis}"),
    benchmark:
        study.benchmark("losses", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("model_loss")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/model_loss.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Loss of models {wildcards.analysis}"
    script:
        "../../scripts/analyses/model_loss.py"


rule model_loss_table:
    input:
        losses=study.path("losses", "{analysis}.parquet"),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("model_loss")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/model_loss_table.py", **study.analysis(wildcards.analysis).table_settings(study)
        ),
    message:
        "Tabulate {wildcards.analysis}"
    script:
        "../../scripts/analyses/model_loss_table.py"
