# Statistics of models that merging needs besides weights: a file for each statistic and model that a point needs.


rule fisher_information:
    input:
        unpack(lambda wildcards: study.model_statistics.inputs(wildcards.statistic, wildcards.model)),
    output:
        study.path("statistics", "{statistic}", "{model}.safetensors"),
    log:
        study.log("statistics", "{statistic}", "{model}"),
    benchmark:
        study.benchmark("statistics", "{statistic}", "{model}")
    wildcard_constraints:
        statistic=alternatives(study.model_statistics.names("fisher")),
        model=alternatives(study.model_statistics.models()),
    # Merges wait for it.
    priority: 30
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("train")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "models/fisher.py", **study.model_statistics.settings(wildcards.statistic, wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(threads),
    message:
        "Fisher information {wildcards.statistic} of {wildcards.model}"
    script:
        "../scripts/models/fisher.py"


rule input_grams:
    input:
        unpack(lambda wildcards: study.model_statistics.inputs(wildcards.statistic, wildcards.model)),
    output:
        study.path("statistics", "{statistic}", "{model}.safetensors"),
    log:
        study.log("statistics", "{statistic}", "{model}"),
    benchmark:
        study.benchmark("statistics", "{statistic}", "{model}")
    wildcard_constraints:
        statistic=alternatives(study.model_statistics.names("gram")),
        model=alternatives(study.model_statistics.models()),
    priority: 30
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "models/input_grams.py", **study.model_statistics.settings(wildcards.statistic, wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Gram matrices {wildcards.statistic} of {wildcards.model}"
    script:
        "../scripts/models/input_grams.py"
