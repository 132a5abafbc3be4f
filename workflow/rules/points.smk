# Points: one merged checkpoint for each prompt set (its use) and for each analysis that generates texts. Checkpoints
# are temporary: if all prompt sets shared one, a new set would rebuild it, and then rerun the texts of the other sets.
#
# Few checkpoints should be on disk at once. So generation has higher priority, and merging requests the resources of
# generation (threads, and on cuda a GPU), although it uses less: it starts only where its texts can be generated next.

from lm_interpolation.points.algebra import AFFINE_ID, METHOD_ID


rule merge:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        # Not read, but without them no texts can be generated.
        prompts=lambda wildcards: ancient(study.merge_prompts(wildcards.use)),
    output:
        temp(directory(study.path("checkpoints", "{use}", "{point}"))),
    log:
        study.log("checkpoints", "{use}", "{point}"),
    benchmark:
        study.benchmark("checkpoints", "{use}", "{point}")
    wildcard_constraints:
        use=alternatives(study.checkpoint_uses()),
        point=AFFINE_ID,
    priority: 10
    group:
        POINTS
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
        sequence=1,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("points/merge.py"),
    message:
        "Merge {wildcards.point} ({wildcards.use})"
    script:
        "../scripts/points/merge.py"


# The same under a method, whose settings and code are among those of the job.
rule merge_by_method:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        files=lambda wildcards: study.method_files(wildcards.point),
        # Not read, but without them no texts can be generated.
        prompts=lambda wildcards: ancient(study.merge_prompts(wildcards.use)),
    output:
        temp(directory(study.path("checkpoints", "{use}", "{point}"))),
    log:
        study.log("checkpoints", "{use}", "{point}"),
    benchmark:
        study.benchmark("checkpoints", "{use}", "{point}")
    wildcard_constraints:
        use=alternatives(study.checkpoint_uses()),
        point=METHOD_ID,
    priority: 10
    group:
        POINTS
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
        sequence=1,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "points/merge_by_method.py", method=study.method_settings(wildcards.point)
        ),
    message:
        "Merge {wildcards.point} ({wildcards.use})"
    script:
        "../scripts/points/merge_by_method.py"


# For the summary; nothing else depends on it.
rule measure_rounding:
    input:
        models=lambda wildcards: [
            study.path("models", name)
            for name in (wildcards.model, study.models.rounding_references()[wildcards.model])
        ],
    output:
        study.path("rounding", "{model}.json"),
    log:
        study.log("rounding", "{model}"),
    benchmark:
        study.benchmark("rounding", "{model}")
    wildcard_constraints:
        model=alternatives(list(study.models.rounding_references())),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings(
            "points/measure_rounding.py",
            model=wildcards.model,
            reference=study.models.rounding_references()[wildcards.model],
        ),
    message:
        "Measure how coarsely model {wildcards.model} was rounded"
    script:
        "../scripts/points/measure_rounding.py"
