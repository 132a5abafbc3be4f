# Scores: one file per line, prompt set and scorer. A judge is loaded once per line, not once per point. And exams of
# judges, apart from their training, so that another exam trains nothing.


rule score:
    input:
        unpack(lambda wildcards: study.lines.inputs(wildcards.prompts, wildcards.line, wildcards.scorer)),
    output:
        study.path("scores", "{prompts}", "{line}", "{scorer}.parquet"),
    log:
        study.log("scores", "{prompts}", "{line}", "{scorer}"),
    benchmark:
        study.benchmark("scores", "{prompts}", "{line}", "{scorer}")
    wildcard_constraints:
        scorer=alternatives(list(study.scorers)),
    priority: 30
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("score") if study.scorers[wildcards.scorer].COMPUTES else 1
    resources:
        mem_mb=lambda wildcards, attempt: study.scorers[wildcards.scorer].MEMORY * attempt,
        runtime=lambda wildcards, attempt: study.scorers[wildcards.scorer].minutes(attempt),
        gpu=lambda wildcards: study.gpu if study.scorers[wildcards.scorer].uses_gpu() else 0,
    params:
        settings=lambda wildcards: study.settings(
            study.scorers[wildcards.scorer].SCRIPT,
            **study.lines.settings(wildcards.prompts, wildcards.line, wildcards.scorer),
        ),
        execution=lambda wildcards, threads: study.lines.execution(wildcards.scorer, threads),
        # With an argument threads: Snakemake does not compare it. The settings hold the script's digest.
        script=lambda wildcards, threads: study.scorers[wildcards.scorer].SCRIPT,
    message:
        "Score {wildcards.scorer} along {wildcards.line} ({wildcards.prompts})"
    script:
        "../scripts/{params.script}"


rule examine_judge:
    input:
        unpack(lambda wildcards: study.models.exam_inputs(wildcards.model)),
    output:
        exam=study.path("judges", "{model}", "exam.json"),
        bins=study.path("judges", "{model}", "calibration.csv"),
    log:
        study.log("judges", "{model}"),
    benchmark:
        study.benchmark("judges", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.examined()),
    priority: 40
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(6000),
        runtime=growing(120),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("scores/exam.py", **study.models.exam_settings(wildcards.model)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Examine {wildcards.model}"
    script:
        "../scripts/scores/exam.py"
