# Points: one merged checkpoint each. Generation has a higher priority, so that few of them lie on disk at once.

from workflow.lib.points import POINT_ID


rule merge:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        source=study.sources("merge.py"),
    output:
        temp(directory(study.path("checkpoints", "{point}"))),
    params:
        settings=study.settings("merge.py"),
    wildcard_constraints:
        point=POINT_ID,
    log:
        study.log("checkpoints", "{point}"),
    benchmark:
        study.benchmark("checkpoints", "{point}")
    priority: 10
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/workflow.yaml"
    message:
        "Merge {wildcards.point}"
    script:
        "../scripts/merge.py"
