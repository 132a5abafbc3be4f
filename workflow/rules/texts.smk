# Texts: the continuations of every prompt at one point.


rule generate:
    input:
        model=study.path("checkpoints", "{prompts}", "{point}"),
        prompts=study.path("prompts", "{prompts}.parquet"),
    output:
        study.path("texts", "weights", "{prompts}", "{point}.parquet"),
    log:
        study.log("texts", "weights", "{prompts}", "{point}"),
    benchmark:
        study.benchmark("texts", "weights", "{prompts}", "{point}")
    priority: 20
    group:
        POINTS
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=growing(6000),
        runtime=growing(240),
        sequence=1,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "texts/generate.py",
            sampling=study.sampling(wildcards.prompts),
            precision=study.generation("precision"),
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("generate")),
    message:
        "Generate from {wildcards.prompts} at {wildcards.point}"
    script:
        "../scripts/texts/generate.py"


# An ensemble: the same coefficients on logits. All models of the point run together.
rule generate_ensemble:
    input:
        models=lambda wildcards: [study.path("models", name) for name in study.ensemble_models(wildcards.point)],
        prompts=study.path("prompts", "{prompts}.parquet"),
    output:
        study.path("texts", "logits", "{prompts}", "{point}.parquet"),
    log:
        study.log("texts", "logits", "{prompts}", "{point}"),
    benchmark:
        study.benchmark("texts", "logits", "{prompts}", "{point}")
    priority: 20
    group:
        POINTS
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=growing(12000),
        runtime=growing(480),
        sequence=1,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "texts/generate_ensemble.py",
            sampling=study.sampling(wildcards.prompts),
            precision=study.generation("precision"),
            **study.ensemble_settings(wildcards.point),
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("generate")),
    message:
        "Generate from {wildcards.prompts} at {wildcards.point} in logit space"
    script:
        "../scripts/texts/generate_ensemble.py"


# In the space of layers: each layer of all models of the point reads the same input, and what they return is added.
rule generate_layers:
    input:
        models=lambda wildcards: study.merge_inputs(wildcards.point),
        prompts=study.path("prompts", "{prompts}.parquet"),
    output:
        study.path("texts", "layers", "{prompts}", "{point}.parquet"),
    log:
        study.log("texts", "layers", "{prompts}", "{point}"),
    benchmark:
        study.benchmark("texts", "layers", "{prompts}", "{point}")
    priority: 20
    group:
        POINTS
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=growing(12000),
        runtime=growing(480),
        sequence=1,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "texts/generate_layers.py",
            sampling=study.sampling(wildcards.prompts),
            precision=study.generation("precision"),
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("generate")),
    message:
        "Generate from {wildcards.prompts} at {wildcards.point} in layer space"
    script:
        "../scripts/texts/generate_layers.py"
