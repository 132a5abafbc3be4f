# Generated texts side by side.


rule texts_table:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("texts")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/texts_table.py", **study.analysis_settings(wildcards.analysis)
        ),
    message:
        "Compare texts {wildcards.analysis}"
    script:
        "../../scripts/analyses/texts_table.py"
