# Points: one merged checkpoint for each prompt set (its use), and for each analysis that generates texts. One for all of
# them would be made again for a new prompt set, and the texts of the other sets with it, since it is temporary.
# Generation has a higher priority, and merging takes as many threads, and on cuda a GPU, which it does not use: a
# checkpoint is made only where its texts can be generated next, however many cores idle. So no more of them lie on disk
# than there are jobs at once, and one that is being deleted.

from lm_interpolation.points.algebra import POINT_ID


rule merge:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        # Not read: without them no texts could be generated.
        prompts=lambda wildcards: ancient(study.merge_prompts(wildcards.use)),
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
    threads: study.threads("generate")
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
        sequence=1,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("points/merge.py"),
    message:
        "Merge {wildcards.point} ({wildcards.use})"
    script:
        "../scripts/points/merge.py"
