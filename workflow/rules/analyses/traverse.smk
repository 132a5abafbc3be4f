# Losses between and beyond models, moved in memory. The rule set_texts takes the texts.


rule traverse_region:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("traverse")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/traverse.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Traverse {wildcards.analysis}"
    script:
        "../../scripts/analyses/traverse.py"
