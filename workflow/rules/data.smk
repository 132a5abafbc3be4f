# Corpora and prompts. They run first (priority), so that a mistake in the data stops a run before anything is trained.

from lm_interpolation.study.fetch_plan import fetch_plan
from lm_interpolation.study.leak_plan import leak_inputs, leak_plan


rule corpus:
    input:
        files=lambda wildcards: study.corpora[wildcards.corpus].input_files(),
    output:
        train=study.path("corpora", "{corpus}", "train.parquet"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
        test=study.path("corpora", "{corpus}", "test.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.data.from_source()),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        # With an argument threads: Snakemake does not compare it. The settings hold the script's digest.
        script=lambda wildcards, threads: study.corpora[wildcards.corpus].SCRIPT,
        settings=lambda wildcards: study.settings(
            study.corpora[wildcards.corpus].SCRIPT, **study.data.corpus_settings(wildcards.corpus)
        ),
        execution=lambda wildcards, threads: study.data.corpus_execution(wildcards.corpus),
    message:
        "Read corpus {wildcards.corpus}"
    # One script per source. (An f-string in a loop over rules would bind late.)
    script:
        "../scripts/{params.script}"


rule split_corpus:
    input:
        unpack(lambda wildcards: study.data.parent_splits(wildcards.corpus)),
    output:
        train=study.path("corpora", "{corpus}", "train.parquet"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
        test=study.path("corpora", "{corpus}", "test.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.data.shares()),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: study.settings(
            "data/split_corpus.py", **study.data.corpus_settings(wildcards.corpus)
        ),
    message:
        "Split corpus {wildcards.corpus} from another"
    script:
        "../scripts/data/split_corpus.py"


rule join_corpora:
    input:
        unpack(lambda wildcards: study.data.joined_splits(wildcards.corpus)),
    output:
        train=study.path("corpora", "{corpus}", "train.parquet"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
        test=study.path("corpora", "{corpus}", "test.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.data.joined()),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: study.settings(
            "data/join_corpora.py", **study.data.corpus_settings(wildcards.corpus)
        ),
    message:
        "Join others as the classes of corpus {wildcards.corpus}"
    script:
        "../scripts/data/join_corpora.py"


rule stream_corpus:
    output:
        stream=study.path("corpora", "{corpus}", "stream.json"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.data.streamed()),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: study.settings(
            "data/stream_corpus.py", **study.data.corpus_settings(wildcards.corpus)
        ),
        execution=lambda wildcards, threads: study.data.corpus_execution(wildcards.corpus),
    message:
        "Read corpus {wildcards.corpus}"
    script:
        "../scripts/data/stream_corpus.py"


rule prompts:
    input:
        files=lambda wildcards: study.prompts[wildcards.prompts].input_files(),
        # For counting tokens if models continue these prompts. Tokenizers exist before the weights.
        tokenizers=lambda wildcards: [entry["tokenizer"] for entry in study.data.prompt_readers(wildcards.prompts)],
    output:
        study.path("prompts", "{prompts}.parquet"),
    log:
        study.log("prompts", "{prompts}"),
    benchmark:
        study.benchmark("prompts", "{prompts}")
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        script=lambda wildcards, threads: study.prompts[wildcards.prompts].SCRIPT,
        settings=lambda wildcards: study.settings(
            study.prompts[wildcards.prompts].SCRIPT, **study.data.prompt_settings(wildcards.prompts)
        ),
    message:
        "Read prompts {wildcards.prompts}"
    script:
        "../scripts/{params.script}"


# Leaks: texts that are in two splits, in the training data of both a judge and the models it judges, or in the training
# data of a model that is measured on them. They are counted before models are trained (priority).
rule count_leaks:
    input:
        splits=leak_inputs(study),
    output:
        study.path("leaks.json"),
    log:
        study.log("leaks"),
    benchmark:
        study.benchmark("leaks")
    priority: 95
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("data/leaks.py", plan=leak_plan(study)),
    message:
        "Count leaks"
    script:
        "../scripts/data/leaks.py"


# For jobs on machines without network: run snakemake --cores 1 fetch on a machine with network. The rule has no
# outputs, so it always checks everything; files in the hub's cache are not downloaded again.
rule fetch:
    log:
        study.log("fetch"),
    localrule: True
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=1440,
    params:
        settings=lambda wildcards: study.settings("models/fetch.py", **fetch_plan(study.config, study.corpora)),
        execution=lambda wildcards, threads: study.execution(hub_lock=config.get("hub_lock")),
    message:
        "Fetch models and data from the hub"
    script:
        "../scripts/models/fetch.py"
