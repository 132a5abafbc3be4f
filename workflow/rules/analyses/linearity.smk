# A plane of models, merged in memory, against its first-order expansion.


rule expand_linearly:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        table=analysed(),
        summary=analysed("_summary", caption="table_second"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("linearity")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(24000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/linearity.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Linearity {wildcards.analysis}"
    script:
        "../../scripts/analyses/linearity.py"
