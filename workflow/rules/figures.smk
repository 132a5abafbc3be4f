# Figures, drawn from tables.


rule curves:
    input:
        tables=lambda wildcards: [
            study.path("tables", f"{sweep}.csv") for sweep in config["figures"][wildcards.figure]["sweeps"]
        ],
        source=study.sources("curves.py"),
    output:
        png=study.path("figures", "{figure}.png"),
        pdf=study.path("figures", "{figure}.pdf"),
    params:
        settings=lambda wildcards: study.settings("curves.py", figure=config["figures"][wildcards.figure]),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/workflow.yaml"
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/curves.py"
