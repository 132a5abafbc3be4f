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
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: study.settings("curves.py", figure=config["figures"][wildcards.figure]),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/curves.py"
