# Lower precisions against fp32.


# Runs as early as possible: a study whose precision is too low should not run for days first.
rule compare_precisions:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("precision")),
    priority: 70
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/precision.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(
            threads,
            batch_sizes=config["compute"]["batch_size"],
            reason=config["analyses"][wildcards.analysis]["reason"],
        ),
    message:
        "Compare precisions {wildcards.analysis}"
    script:
        "../../scripts/analyses/precision.py"
