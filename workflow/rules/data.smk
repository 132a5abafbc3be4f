# Corpora and prompts. They come first (priority): a mistake in the data is told before anything is trained.


rule corpus:
    input:
        files=lambda wildcards: study.corpus_files(wildcards.corpus),
    output:
        train=study.path("corpora", "{corpus}", "train.parquet"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
        test=study.path("corpora", "{corpus}", "test.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.from_source()),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "data/corpus.py",
            corpus=study.corpus_settings(wildcards.corpus),
            documents=study.corpus_digest(wildcards.corpus),
        ),
        execution=lambda wildcards, threads: study.execution(hub_lock=config.get("hub_lock")),
    message:
        "Read corpus {wildcards.corpus}"
    script:
        "../scripts/data/corpus.py"


rule split_corpus:
    input:
        unpack(lambda wildcards: study.parent_splits(wildcards.corpus)),
    output:
        train=study.path("corpora", "{corpus}", "train.parquet"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
        test=study.path("corpora", "{corpus}", "test.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.shares()),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings("data/split_corpus.py", corpus=config["corpora"][wildcards.corpus]),
    message:
        "Split corpus {wildcards.corpus} from another"
    script:
        "../scripts/data/split_corpus.py"


rule stream_corpus:
    output:
        stream=study.path("corpora", "{corpus}", "stream.json"),
        dev=study.path("corpora", "{corpus}", "dev.parquet"),
    log:
        study.log("corpora", "{corpus}"),
    benchmark:
        study.benchmark("corpora", "{corpus}")
    wildcard_constraints:
        corpus=alternatives(study.streamed(True)),
    priority: 100
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings("data/stream_corpus.py", corpus=config["corpora"][wildcards.corpus]),
        execution=lambda wildcards, threads: study.execution(hub_lock=config.get("hub_lock")),
    message:
        "Read corpus {wildcards.corpus}"
    script:
        "../scripts/data/stream_corpus.py"


rule prompts:
    input:
        files=lambda wildcards: study.prompt_files(wildcards.prompts),
        # To count tokens, where models continue these prompts: they are there before the weights.
        tokenizers=lambda wildcards: [entry["tokenizer"] for entry in study.prompt_readers(wildcards.prompts)],
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
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "data/prompts.py",
            prompts=config["prompts"][wildcards.prompts],
            readers=study.prompt_readers(wildcards.prompts),
        ),
    message:
        "Read prompts {wildcards.prompts}"
    script:
        "../scripts/data/prompts.py"
