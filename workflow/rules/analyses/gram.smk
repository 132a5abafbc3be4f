# Inner products and cosines of displacements.


rule gram_matrices:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("gram")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("analyses/gram.py", **study.analysis_settings(wildcards.analysis)),
    message:
        "Gram matrices {wildcards.analysis}"
    script:
        "../../scripts/analyses/gram.py"
