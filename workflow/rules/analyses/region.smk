# Points of regions, moved in memory: the texts, the losses and how kinds of points compare.


# Also for the kinds traverse and tuning_contribution. Runs before anything is trained, so that an unreadable text fails early.
rule set_texts:
    input:
        unpack(lambda wildcards: study.analysis(wildcards.analysis).texts_inputs(study)),
    output:
        study.path("losses", "texts", "{analysis}.parquet"),
    log:
        study.log("losses", "texts", "{analysis}"),
    benchmark:
        study.benchmark("losses", "texts", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("region", "traverse", "tuning_contribution")),
    priority: 80
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/set_texts.py", **study.analysis(wildcards.analysis).texts_settings(study)
        ),
    message:
        "Texts of {wildcards.analysis}"
    script:
        "../../scripts/analyses/set_texts.py"


rule measure_region:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        table=analysed(),
        summary=analysed("_pb", caption="table_second"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("region")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/region.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Region {wildcards.analysis}"
    script:
        "../../scripts/analyses/region.py"
