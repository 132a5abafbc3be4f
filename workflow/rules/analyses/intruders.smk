# Intruder dimensions: leading singular vectors of fine-tuned matrices that are like none of the base.


rule find_intruders:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        matrices=analysed(),
        ranks=analysed("_ranks", caption="table_second"),
        thresholds=analysed("_thresholds", caption="table_third"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("intruders")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=lambda wildcards: study.settings(
            "analyses/intruders.py", **study.analysis_settings(wildcards.analysis)
        ),
    message:
        "Find intruder dimensions {wildcards.analysis}"
    script:
        "../../scripts/analyses/intruders.py"
