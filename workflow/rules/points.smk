# Points: one merged checkpoint each. Generation has a higher priority, so that on the CPU few of them lie on disk at
# once. Where generation waits for a GPU, idle cores merge ahead: the disk must then hold more of them.

from workflow.lib.points import POINT_ID


rule merge:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        source=study.sources("merge.py"),
    output:
        temp(directory(study.path("checkpoints", "{point}"))),
    log:
        study.log("checkpoints", "{point}"),
    benchmark:
        study.benchmark("checkpoints", "{point}")
    wildcard_constraints:
        point=POINT_ID,
    priority: 10
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=study.settings("merge.py"),
    message:
        "Merge {wildcards.point}"
    script:
        "../scripts/merge.py"
