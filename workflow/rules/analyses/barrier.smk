# Barriers along lines between two models.


rule barrier_table:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("barrier")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/barrier_table.py", **study.analysis_settings(wildcards.analysis)
        ),
    message:
        "Barriers {wildcards.analysis}"
    script:
        "../../scripts/analyses/barrier_table.py"
