# Scores: one file per line, prompt set and scorer. The judge is loaded once per line, not once per point.


rule score_classifier:
    input:
        texts=lambda wildcards: study.line_texts(wildcards.prompts, wildcards.line),
        prompts=study.path("prompts", "{prompts}.parquet"),
        model=lambda wildcards: study.path("models", config["scorers"][wildcards.scorer]["model"]),
    output:
        study.path("scores", "{prompts}", "{line}", "{scorer}.parquet"),
    log:
        study.log("scores", "{prompts}", "{line}", "{scorer}"),
    benchmark:
        study.benchmark("scores", "{prompts}", "{line}", "{scorer}")
    wildcard_constraints:
        scorer=alternatives(study.scorers("classifier")),
    priority: 30
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
        gpu=study.gpu,
    params:
        # Without the weights of the classes: they only matter to the tables.
        settings=lambda wildcards: study.settings(
            "scores/score_classifier.py",
            points=study.line_points(wildcards.prompts, wildcards.line),
            labels=config["scorers"][wildcards.scorer].get("labels"),
            text=config["scorers"][wildcards.scorer]["text"],
            precision=config["scorers"][wildcards.scorer]["precision"],
            too_long=config["scorers"][wildcards.scorer]["too_long"],
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Score {wildcards.scorer} along {wildcards.line} ({wildcards.prompts})"
    script:
        "../scripts/scores/score_classifier.py"


rule score_perplexity:
    input:
        texts=lambda wildcards: study.line_texts(wildcards.prompts, wildcards.line),
        prompts=study.path("prompts", "{prompts}.parquet"),
        model=lambda wildcards: study.path("models", config["scorers"][wildcards.scorer]["model"]),
    output:
        study.path("scores", "{prompts}", "{line}", "{scorer}.parquet"),
    log:
        study.log("scores", "{prompts}", "{line}", "{scorer}"),
    benchmark:
        study.benchmark("scores", "{prompts}", "{line}", "{scorer}")
    wildcard_constraints:
        scorer=alternatives(study.scorers("perplexity")),
    priority: 30
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=1440,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "scores/score_perplexity.py",
            points=study.line_points(wildcards.prompts, wildcards.line),
            precision=config["scorers"][wildcards.scorer]["precision"],
            too_long=config["scorers"][wildcards.scorer]["too_long"],
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Score {wildcards.scorer} along {wildcards.line} ({wildcards.prompts})"
    script:
        "../scripts/scores/score_perplexity.py"


rule score_distinct:
    input:
        texts=lambda wildcards: study.line_texts(wildcards.prompts, wildcards.line),
    output:
        study.path("scores", "{prompts}", "{line}", "{scorer}.parquet"),
    log:
        study.log("scores", "{prompts}", "{line}", "{scorer}"),
    benchmark:
        study.benchmark("scores", "{prompts}", "{line}", "{scorer}")
    wildcard_constraints:
        scorer=alternatives(study.scorers("distinct")),
    priority: 30
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "scores/score_distinct.py",
            points=study.line_points(wildcards.prompts, wildcards.line),
            n=config["scorers"][wildcards.scorer]["n"],
        ),
    message:
        "Score {wildcards.scorer} along {wildcards.line} ({wildcards.prompts})"
    script:
        "../scripts/scores/score_distinct.py"
