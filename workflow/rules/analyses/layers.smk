# Losses with one layer or kind of tensors grafted onto a base, or reset, at a time. The rule loss_texts takes the texts.


rule measure_layers:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("layers")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/layers.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Layers {wildcards.analysis}"
    script:
        "../../scripts/analyses/layers.py"
