# What a study takes from the hub, for jobs on machines without network: snakemake --cores 1 fetch, where there is one.


# Without outputs, so that it looks at everything whenever it is asked. What is in the cache is not downloaded again.
rule fetch:
    log:
        study.log("fetch"),
    localrule: True
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=1440,
    params:
        settings=lambda wildcards: study.settings("data/fetch.py", config=config),
    message:
        "Fetch models and data from the hub"
    script:
        "../scripts/data/fetch.py"
