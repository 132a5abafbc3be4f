# Texts: the continuations of every prompt at one point.


rule generate:
    input:
        model=study.path("checkpoints", "{point}"),
        prompts=study.path("prompts", "{prompts}.parquet"),
        source=study.sources("generate.py"),
    output:
        study.path("texts", "weights", "{prompts}", "{point}.parquet"),
    log:
        study.log("texts", "weights", "{prompts}", "{point}"),
    benchmark:
        study.benchmark("texts", "weights", "{prompts}", "{point}")
    wildcard_constraints:
        point=POINT_ID,
    priority: 20
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=6000,
        runtime=240,
        gpu=study.gpu,
    params:
        settings=study.settings("generate.py", sampling=config["generation"]),
    message:
        "Generate from {wildcards.prompts} at {wildcards.point}"
    script:
        "../scripts/generate.py"
