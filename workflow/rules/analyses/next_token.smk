# Probabilities of words after a prompt along a line, whose points are merged in memory.


rule next_token_probabilities:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("next_token")),
    priority: 15
    conda:
        "../../../envs/workflow.yaml"
    threads: study.threads("score")
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings(
            "analyses/next_tokens.py", **study.analysis_settings(wildcards.analysis)
        ),
        execution=lambda wildcards, threads: study.execution(threads, batch_size=study.batch_size("score")),
    message:
        "Next-token probabilities {wildcards.analysis}"
    script:
        "../../scripts/analyses/next_tokens.py"
