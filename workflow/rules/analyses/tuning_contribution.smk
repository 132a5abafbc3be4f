# The tuning contribution to texts of several groups. The rule set_texts (region.smk) takes the texts.


rule measure_tuning_contribution:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        table=analysed(),
        summary=analysed("_groups", caption="table_second"),
        blocks=analysed("_blocks", caption="table_third"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("tuning_contribution")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/tuning_contribution.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Tuning contribution {wildcards.analysis}"
    script:
        "../../scripts/analyses/tuning_contribution.py"
