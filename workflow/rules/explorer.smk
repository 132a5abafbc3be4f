# The explorer: a page with the curves, planes and texts of the study.


rule explorer:
    input:
        unpack(lambda wildcards: study.explorer_inputs()),
        # As the manifest has it: from the folder that Snakemake runs in.
        template=[
            os.path.join(os.path.relpath(workflow.basedir), "workflow", "templates", f"explorer.{kind}")
            for kind in ("html", "css", "js")
        ],
    output:
        study.path("explorer.html"),
    log:
        study.log("explorer"),
    benchmark:
        study.benchmark("explorer")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("explorer.py", **study.explorer_settings()),
    message:
        "Write the explorer"
    script:
        "../scripts/explorer.py"
