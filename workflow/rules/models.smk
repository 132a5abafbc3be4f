# Tokenizers and models, imported from the hub or a folder or trained here; searches over training settings.


from lm_interpolation.study.kinds.base import MEMBER


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
        mem_mb=growing(4000),
        runtime=growing(60),
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
        files=lambda wildcards: study.models.files(wildcards.model),
    output:
        directory(study.path("models", "{model}")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives([name for name in study.models.imported() if name not in study.models.from_gguf()]),
    priority: 90
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
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


rule import_gguf:
    input:
        files=lambda wildcards: study.models.files(wildcards.model),
    output:
        directory(study.path("models", "{model}")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.from_gguf()),
    priority: 90
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
    params:
        settings=lambda wildcards: study.settings(
            "models/import_gguf.py", start=config["models"][wildcards.model]["start"]
        ),
        execution=lambda wildcards, threads: study.execution(threads, hub_lock=config.get("hub_lock")),
    message:
        "Import model {wildcards.model} from GGUF"
    script:
        "../scripts/models/import_gguf.py"


# Soups: means of models that are imported, trained here, or made of others themselves.
rule mean_of_models:
    input:
        unpack(lambda wildcards: study.models.soup_inputs(wildcards.model)),
    output:
        directory(study.path("models", "{model}")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.derived("mean")),
    priority: 60
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        # Some blocks of each model are read ahead.
        mem_mb=lambda wildcards, attempt: (1000 + 10 * len(study.models.ingredients(wildcards.model))) * attempt,
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("models/mean.py", models=study.models.ingredients(wildcards.model)),
    message:
        "Mean of models {wildcards.model}"
    script:
        "../scripts/models/mean.py"


rule greedy_soup:
    input:
        unpack(lambda wildcards: study.models.soup_inputs(wildcards.model)),
    output:
        model=directory(study.path("models", "{model}")),
        selection=study.path("training", "{model}", "selection.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.derived("greedy")),
    priority: 60
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("models/greedy.py", **study.models.greedy_settings(wildcards.model)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Greedy soup {wildcards.model}"
    script:
        "../scripts/models/greedy.py"


# A model of the study with a LoRA adapter merged into it.
rule adapter:
    input:
        base=lambda wildcards: study.path("models", config["models"][wildcards.model]["start"]["model"]),
        files=lambda wildcards: study.models.files(wildcards.model),
    output:
        directory(study.path("models", "{model}")),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.derived("adapter")),
    priority: 60
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("models/adapter.py", start=config["models"][wildcards.model]["start"]),
        execution=lambda wildcards, threads: study.execution(hub_lock=config.get("hub_lock")),
    message:
        "Merge the adapter of model {wildcards.model}"
    script:
        "../scripts/models/adapter.py"


# One thread, so that no sum of a library depends on their number.
rule align_model:
    input:
        unpack(lambda wildcards: study.models.align_inputs(wildcards.model)),
    output:
        model=directory(study.path("models", "{model}")),
        alignment=study.path("training", "{model}", "alignment.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.derived("align")),
    priority: 60
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        settings=lambda wildcards: study.settings("models/align.py", **study.models.align_settings(wildcards.model)),
    message:
        "Align model {wildcards.model}"
    script:
        "../scripts/models/align.py"


rule train_language_model:
    input:
        unpack(lambda wildcards: study.models.inputs(trained(wildcards))),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(
            [
                name
                for name in study.models.trained("language-model")
                if name not in study.models.starts() and name not in study.models.replicates()
            ]
        ),
    priority: 50
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("train") * processes(wildcards)
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * processes(wildcards) * attempt,
        runtime=1440,
        gpu=lambda wildcards: study.gpu * processes(wildcards),
    params:
        settings=lambda wildcards: study.settings(
            "models/train_language_model.py", model=study.models.settings(wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(threads, **study.models.execution(trained(wildcards))),
    message:
        "Train language model {wildcards.model}"
    script:
        "../scripts/models/train_language_model.py"


# They go first if not all fit at once, because other trainings wait for them.
use rule train_language_model as train_starting_model with:
    wildcard_constraints:
        model=alternatives(
            [
                name
                for name in study.models.trained("language-model")
                if name in study.models.starts() and name not in study.models.replicates()
            ]
        ),
    priority: 60


# A family of replicates trains in one job, since each job first imports torch. It leaves the results in the folder
# scratch, where Snakemake deletes nothing, and says by its only output that they are there. A job for each replicate then
# takes its own. What it takes was made with the same settings from the same inputs, as its name says; if there is nothing,
# it trains the replicate itself. The settings of the job of a family are without seeds (which travel as execution), so a
# seed that is added or removed does not start it again, and all other replicates stay as they are.
rule train_replicates:
    input:
        unpack(lambda wildcards: study.models.inputs(replicates(wildcards)[0])),
    output:
        study.path("training", "{family}", "replicates.txt"),
    log:
        study.log("training", "{family}", "replicates"),
    benchmark:
        study.benchmark("training", "{family}", "replicates")
    wildcard_constraints:
        family=alternatives(list(study.declared.families())),
    priority: 60
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("train") * study.models.processes(replicates(wildcards)[0])
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * study.models.processes(replicates(wildcards)[0]) * attempt,
        runtime=1440,
        gpu=lambda wildcards: study.gpu * study.models.processes(replicates(wildcards)[0]),
    params:
        settings=lambda wildcards: study.settings(
            "models/train_replicates.py", **study.models.family_settings(wildcards.family)
        ),
        execution=lambda wildcards, threads: study.execution(
            threads, **study.models.replicates_execution(replicates(wildcards))
        ),
    message:
        "Train the replicates of {wildcards.family}"
    script:
        "../scripts/models/train_replicates.py"


rule take_replicate:
    input:
        unpack(lambda wildcards: study.models.inputs(wildcards.model)),
        family=lambda wildcards: study.path("training", MEMBER.fullmatch(wildcards.model)[1], "replicates.txt"),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(study.models.replicates()),
    priority: 60
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("train") * processes(wildcards)
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * processes(wildcards) * attempt,
        runtime=1440,
        gpu=lambda wildcards: study.gpu * processes(wildcards),
    params:
        settings=lambda wildcards: study.settings(
            "models/train_replicates.py", model=study.models.settings(wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(
            threads, **study.models.replicates_execution([wildcards.model])
        ),
    message:
        "Take replicate {wildcards.model}"
    script:
        "../scripts/models/train_replicates.py"


rule train_classifier:
    input:
        unpack(lambda wildcards: study.models.inputs(trained(wildcards))),
    output:
        model=directory(study.path("models", "{model}")),
        loss_curve=study.path("training", "{model}", "loss.csv"),
        metrics=study.path("training", "{model}", "metrics.json"),
    log:
        study.log("models", "{model}"),
    benchmark:
        study.benchmark("models", "{model}")
    wildcard_constraints:
        model=alternatives(
            [name for name in study.models.trained("classifier") if name not in study.models.replicates()]
        ),
    # Language models go first: all generation waits for them, while judges are needed only at the end.
    priority: 40
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("train")
    resources:
        mem_mb=growing(8000),
        runtime=720,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "models/train_classifier.py", model=study.models.settings(wildcards.model)
        ),
        execution=lambda wildcards, threads: study.execution(threads, **study.models.execution(trained(wildcards))),
    message:
        "Train classifier {wildcards.model}"
    script:
        "../scripts/models/train_classifier.py"


# Each trial of a search is a job that keeps its losses but no model.
rule trial:
    input:
        unpack(lambda wildcards: study.models.inputs(trained(wildcards))),
    output:
        metrics=study.path("searches", "{search}", "{trial}", "metrics.json"),
        loss_curve=study.path("searches", "{search}", "{trial}", "loss.csv"),
    log:
        study.log("searches", "{search}", "{trial}"),
    benchmark:
        study.benchmark("searches", "{search}", "{trial}")
    priority: 5
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: study.threads("train") * processes(wildcards)
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * processes(wildcards) * attempt,
        runtime=720,
        gpu=lambda wildcards: study.gpu * processes(wildcards),
    params:
        settings=lambda wildcards: study.settings(
            "models/trial.py", **study.searches.trial_settings(wildcards.search, wildcards.trial)
        ),
        execution=lambda wildcards, threads: study.execution(threads, **study.models.execution(trained(wildcards))),
    message:
        "Trial {wildcards.search}: {wildcards.trial}"
    script:
        "../scripts/models/trial.py"


rule search_table:
    input:
        metrics=lambda wildcards: study.searches.trial_metrics(wildcards.search),
    output:
        tabulated("{search}"),
    log:
        study.log("tables", "{search}"),
    benchmark:
        study.benchmark("tables", "{search}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=lambda wildcards: study.settings("models/search_table.py", **study.searches.settings(wildcards.search)),
    message:
        "Tabulate {wildcards.search}"
    script:
        "../scripts/models/search_table.py"
