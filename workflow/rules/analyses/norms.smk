# Norms of weight differences.


rule weight_norms:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("norms")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("analyses/norms.py", **study.analysis_settings(wildcards.analysis)),
    message:
        "Norms of weight differences {wildcards.analysis}"
    script:
        "../../scripts/analyses/norms.py"
