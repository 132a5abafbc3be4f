# Leaks: texts in two splits, in the training of a judge and of what it judges, or in that of what is measured on them.
# Told before models train (priority).


rule count_leaks:
    input:
        splits=study.leak_inputs(),
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
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("data/leaks.py", plan=study.leak_plan()),
    message:
        "Count leaks"
    script:
        "../scripts/data/leaks.py"
