# Tokenizers and models: imported from the hub or a folder, or trained here.


rule tokenizer:
    input:
        corpus=lambda wildcards: study.path(
            "corpora", config["tokenizers"][wildcards.tokenizer]["corpus"], "train.parquet"
        ),
    output:
        directory(study.path("tokenizers", "{tokenizer}")),
    log:
        study.log("tokenizers", "{tokenizer}"),
    benchmark:
        study.benchmark("tokenizers", "{tokenizer}")
    priority: 90
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("train")
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "models/tokenizer.py", vocab_size=config["tokenizers"][wildcards.tokenizer]["vocab_size"]
        ),
    message:
        "Train tokenizer {wildcards.tokenizer}"
    script:
        "../scripts/models/tokenizer.py"


rule import_model:
    input:
        files=lambda wildcards: study.model_files(wildcards.model),
    output:
        directory(study.path("models", "{model}")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.imported()),
    priority: 90
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "models/import_model.py",
            start=config["models"][wildcards.model]["start"],
            task=config["models"][wildcards.model]["task"],
        ),
        execution=lambda wildcards, threads: study.execution(threads, hub_lock=config.get("hub_lock")),
    message:
        "Import model {wildcards.model}"
    script:
        "../scripts/models/import_model.py"


# Only told: nothing depends on it but the summary.
rule measure_rounding:
    input:
        models=lambda wildcards: [
            study.path("models", name) for name in (wildcards.model, study.rounding_references()[wildcards.model])
        ],
    output:
        study.path("rounding", "{model}.json"),
    log:
        study.log("rounding", "{model}"),
    benchmark:
        study.benchmark("rounding", "{model}")
    wildcard_constraints:
        model=alternatives(list(study.rounding_references())),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "points/measure_rounding.py",
            model=wildcards.model,
            reference=study.rounding_references()[wildcards.model],
        ),
    message:
        "Measure how coarsely model {wildcards.model} was rounded"
    script:
        "../scripts/points/measure_rounding.py"


rule train_language_model:
    input:
        unpack(lambda wildcards: study.training_inputs(wildcards.model)),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives([name for name in study.trained("language-model") if name not in study.starts()]),
    priority: 50
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("train") * study.processes(wildcards.model)
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * study.processes(wildcards.model) * attempt,
        runtime=1440,
        gpu=lambda wildcards: study.gpu * study.processes(wildcards.model),
    params:
        settings=lambda wildcards: study.settings(
            "models/train_language_model.py", model=study.model_settings(wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(threads, **study.training_execution(wildcards.model)),
    message:
        "Train language model {wildcards.model}"
    script:
        "../scripts/models/train_language_model.py"


# First, where not all fit at once: other trainings wait for them.
use rule train_language_model as train_starting_model with:
    wildcard_constraints:
        model=alternatives([name for name in study.trained("language-model") if name in study.starts()]),
    priority: 60


rule train_classifier:
    input:
        unpack(lambda wildcards: study.training_inputs(wildcards.model)),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.trained("classifier")),
    # Language models first: all that is generated waits for them, while judges are needed at the end.
    priority: 40
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("train")
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=720,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "models/train_classifier.py", model=study.model_settings(wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(threads, **study.training_execution(wildcards.model)),
    message:
        "Train classifier {wildcards.model}"
    script:
        "../scripts/models/train_classifier.py"
