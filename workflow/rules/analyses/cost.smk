# Time and memory of generation.


# Timings are reliable only if nothing else runs, so the job takes all cores.
rule measure_cost:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    benchmark:
        study.benchmark("tables", "{analysis}")
    wildcard_constraints:
        analysis=alternatives(study.analyses("cost")),
    priority: 1
    conda:
        "../../../envs/workflow.yaml"
    # All cores of this machine; on a cluster the number requested, not the node's cores.
    threads: (not workflow.remote_exec and workflow.resource_settings.cores) or study.threads("generate")
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=study.gpu,
    params:
        settings=lambda wildcards: study.settings("analyses/cost.py", **study.analysis_settings(wildcards.analysis)),
        execution=lambda wildcards, threads: study.execution(
            study.threads("generate"), batch_size=study.batch_size("generate")
        ),
    message:
        "Cost of generation {wildcards.analysis}"
    script:
        "../../scripts/analyses/cost.py"
