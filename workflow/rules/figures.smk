# Figures, drawn from tables, and the text beside each. Each kind of figure has one script that draws and one that
# describes, so that an edit reruns only figures of that kind. A parameter gives each job its script. That parameter
# takes the argument threads, so Snakemake does not compare it; the settings contain the script's digest.

from lm_interpolation.study import captions


rule draw_figure:
    input:
        unpack(lambda wildcards: figure_of(wildcards).inputs(study)),
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=lambda wildcards, threads: figure_of(wildcards).SCRIPT,
        settings=lambda wildcards: study.settings(
            figure_of(wildcards).SCRIPT,
            look=figure_of(wildcards).look(),
            **figure_of(wildcards).settings(study),
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/{params.script}"


rule describe_figure:
    input:
        unpack(lambda wildcards: captions.figure_inputs(study, wildcards.figure)),
    output:
        study.path("figures", "{figure}.md"),
    log:
        study.log("captions", "{figure}"),
    benchmark:
        study.benchmark("captions", "{figure}")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        script=lambda wildcards, threads: figure_of(wildcards).CAPTION,
        settings=lambda wildcards: study.settings(
            figure_of(wildcards).CAPTION,
            **captions.figure_settings(study, wildcards.figure),
        ),
    message:
        "Describe {wildcards.figure}"
    script:
        "../scripts/{params.script}"
