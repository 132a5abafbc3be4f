# Regions of fine-tuned models in weight space: similarities, clusters and a map. One thread, so that no sum of a library
# depends on their number.


rule find_regions:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        pairs=analysed(),
        clusters=analysed("_clusters", caption="table_second"),
        places=analysed("_places", caption="table_third"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("regions")),
    conda:
        "../../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=lambda wildcards: study.settings("analyses/regions.py", **study.analysis_settings(wildcards.analysis)),
    message:
        "Find the regions {wildcards.analysis}"
    script:
        "../../scripts/analyses/regions.py"
