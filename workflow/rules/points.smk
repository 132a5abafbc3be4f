# Points: one merged checkpoint for each prompt set (its use), and for each measurement of cost. One for all of them would be
# made again for a new prompt set, and the texts of the other sets with it, since it is temporary.
# Generation has a higher priority, so that on the CPU few of them lie on disk at
# once. Where generation waits for a GPU, idle cores merge ahead: the disk must then hold more of them.

from workflow.lib.points import POINT_ID


rule merge:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        source=study.sources("merge.py"),
    output:
        temp(directory(study.path("checkpoints", "{use}", "{point}"))),
    log:
        study.log("checkpoints", "{use}", "{point}"),
    benchmark:
        study.benchmark("checkpoints", "{use}", "{point}")
    wildcard_constraints:
        use=alternatives(study.checkpoint_uses()),
        point=POINT_ID,
    priority: 10
    # In a submission; what is in one the profile says (otherwise dry runs, too, would show groups).
    group:
        "points" if workflow.remote_exec else None
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
        sequence=1,
    params:
        settings=study.settings("merge.py"),
    message:
        "Merge {wildcards.point} ({wildcards.use})"
    script:
        "../scripts/merge.py"
