# Tokenizers and models: imported from the hub or a folder, or trained here.


rule tokenizer:
    input:
        corpus=lambda wildcards: study.path(
            "corpora", config["tokenizers"][wildcards.tokenizer]["corpus"], "train.parquet"
        ),
        source=study.sources("tokenizer.py"),
    output:
        directory(study.path("tokenizers", "{tokenizer}")),
    params:
        settings=lambda wildcards: study.settings(
            "tokenizer.py", vocab_size=config["tokenizers"][wildcards.tokenizer]["vocab_size"]
        ),
    log:
        study.log("tokenizers", "{tokenizer}"),
    benchmark:
        study.benchmark("tokenizers", "{tokenizer}")
    priority: 90
    threads: study.threads("train")
    resources:
        mem_mb=4000,
        runtime=60,
    conda:
        "../../envs/workflow.yaml"
    message:
        "Train tokenizer {wildcards.tokenizer}"
    script:
        "../scripts/tokenizer.py"


rule import_model:
    input:
        files=lambda wildcards: study.model_files(wildcards.model),
        source=study.sources("import_model.py"),
    output:
        directory(study.path("models", "{model}")),
    params:
        settings=lambda wildcards: study.settings(
            "import_model.py",
            start=config["models"][wildcards.model]["start"],
            task=config["models"][wildcards.model]["task"],
        ),
    wildcard_constraints:
        model=alternatives(study.imported()),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    priority: 90
    threads: 1
    resources:
        mem_mb=16000,
        runtime=120,
    conda:
        "../../envs/workflow.yaml"
    message:
        "Import model {wildcards.model}"
    script:
        "../scripts/import_model.py"


rule train_language_model:
    input:
        unpack(lambda wildcards: study.training_inputs(wildcards.model)),
        source=study.sources("train_language_model.py"),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    params:
        settings=lambda wildcards: study.settings(
            "train_language_model.py", model=config["models"][wildcards.model]
        ),
    wildcard_constraints:
        model=alternatives(study.trained("language-model")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    priority: 50
    threads: study.threads("train")
    resources:
        mem_mb=8000,
        runtime=1440,
        gpu=study.gpu,
    conda:
        "../../envs/workflow.yaml"
    message:
        "Train language model {wildcards.model}"
    script:
        "../scripts/train_language_model.py"


rule train_classifier:
    input:
        unpack(lambda wildcards: study.training_inputs(wildcards.model)),
        source=study.sources("train_classifier.py"),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    params:
        settings=lambda wildcards: study.settings("train_classifier.py", model=config["models"][wildcards.model]),
    wildcard_constraints:
        model=alternatives(study.trained("classifier")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    # Language models first: all that is generated waits for them, while judges are needed at the end.
    priority: 40
    threads: study.threads("train")
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=study.gpu,
    conda:
        "../../envs/workflow.yaml"
    message:
        "Train classifier {wildcards.model}"
    script:
        "../scripts/train_classifier.py"
