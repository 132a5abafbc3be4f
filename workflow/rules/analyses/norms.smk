# Norms of differences of weights.


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
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("analyses/norms.py", **study.analysis_settings(wildcards.analysis)),
    message:
        "Norms of weight differences {wildcards.analysis}"
    script:
        "../../scripts/analyses/norms.py"
