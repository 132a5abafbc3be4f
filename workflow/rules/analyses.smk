# Analyses: what is computed at points, or from weights, without generating texts. Points are merged in memory.


# Before anything is trained: a text that the models cannot read is told at once.
rule loss_texts:
    input:
        corpus=lambda wildcards: study.loss_corpus(wildcards.analysis),
        tokenizers=lambda wildcards: [entry["tokenizer"] for entry in study.loss_readers(wildcards.analysis)],
    output:
        study.path("losses", "texts", "{analysis}.parquet"),
    log:
        study.log("losses", "texts", "{analysis}"),
    benchmark:
        study.benchmark("losses", "texts", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("loss")),
    priority: 80
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/loss_texts.py", **study.loss_texts_settings(wildcards.analysis)
        ),
    message:
        "Texts of loss {wildcards.analysis}"
    script:
        "../scripts/analyses/loss_texts.py"


rule evaluate_losses:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        study.path("losses", "{analysis}.parquet"),
    log:
        study.log("losses", "{analysis}"),
    benchmark:
        study.benchmark("losses", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("loss")),
    priority: 15
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/loss.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Loss {wildcards.analysis}"
    script:
        "../scripts/analyses/loss.py"


rule loss_table:
    input:
        losses=study.path("losses", "{analysis}.parquet"),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("loss")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/loss_table.py",
            sweep=study.analysis_settings(wildcards.analysis)["sweep"],
            bootstrap=config["tables"],
        ),
    message:
        "Tabulate {wildcards.analysis}"
    script:
        "../scripts/analyses/loss_table.py"


rule next_token_probabilities:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("next_token")),
    priority: 15
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/next_tokens.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Next-token probabilities {wildcards.analysis}"
    script:
        "../scripts/analyses/next_tokens.py"


rule expand_linearly:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        table=tabulated("{analysis}"),
        summary=tabulated("{analysis}_summary", caption="../report/table_summary.rst"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("linearity")),
    priority: 15
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=lambda wildcards, attempt: 24000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/linearity.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Linearity {wildcards.analysis}"
    script:
        "../scripts/analyses/linearity.py"


rule weight_norms:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("norms")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("analyses/norms.py", **study.analysis_settings(wildcards.analysis)),
    message:
        "Norms of weight differences {wildcards.analysis}"
    script:
        "../scripts/analyses/norms.py"


# Timings are honest only if nothing runs beside them: the job takes all cores.
rule measure_cost:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("cost")),
    priority: 1
    conda:
        "../../envs/workflow.yaml"
    # All cores of this machine; on a cluster as many as were asked for, not those of the node.
    threads: (not workflow.remote_exec and workflow.resource_settings.cores) or study.threads("generate")
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/cost.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(
            study.threads("generate"), batch_size=study.batch_size("generate")
        ),
    message:
        "Cost of generation {wildcards.analysis}"
    script:
        "../scripts/analyses/cost.py"


# As early as it can be: a study whose precision is too low should not run for days first.
rule compare_precisions:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("precision")),
    priority: 70
    conda:
        "../../envs/workflow.yaml"
    threads: study.threads("generate")
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/precision.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(
            threads,
            batch_sizes=config["compute"]["batch_size"],
            reason=config["analyses"][wildcards.analysis]["reason"],
        ),
    message:
        "Compare precisions {wildcards.analysis}"
    script:
        "../scripts/analyses/precision.py"


rule barrier_table:
    input:
        unpack(lambda wildcards: study.barrier_inputs(wildcards.analysis)),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("barrier")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/barrier_table.py", **study.barrier_settings(wildcards.analysis)
        ),
    message:
        "Barriers {wildcards.analysis}"
    script:
        "../scripts/analyses/barrier_table.py"


rule texts_table:
    input:
        unpack(lambda wildcards: study.texts_inputs(wildcards.analysis)),
    output:
        tabulated("{analysis}"),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("texts")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings("analyses/texts_table.py", **study.texts_settings(wildcards.analysis)),
    message:
        "Compare texts {wildcards.analysis}"
    script:
        "../scripts/analyses/texts_table.py"
