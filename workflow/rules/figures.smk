# Figures, drawn from tables. One script per kind, so that an edit draws the figures of that kind only.


rule draw_curves:
    input:
        unpack(lambda wildcards: study.curves_inputs(wildcards.figure)),
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("curves")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings("figures/plot_curves.py", figure=study.figure_settings(wildcards.figure)),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_curves.py"


rule draw_plane:
    input:
        tables=lambda wildcards: study.figure_tables(wildcards.figure),
        judges=lambda wildcards: study.figure_judges(wildcards.figure),
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("plane")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings("figures/plot_plane.py", figure=study.figure_settings(wildcards.figure)),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_plane.py"


rule draw_words:
    input:
        table=lambda wildcards: study.figure_tables(wildcards.figure)[0],
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("words")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "figures/plot_words.py", figure=study.figure_settings(wildcards.figure)
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_words.py"


rule draw_norms:
    input:
        table=lambda wildcards: study.figure_tables(wildcards.figure)[0],
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("norms")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "figures/plot_norms.py", figure=study.figure_settings(wildcards.figure)
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_norms.py"


rule draw_training:
    input:
        curves=lambda wildcards: study.figure_tables(wildcards.figure),
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("training")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "figures/plot_training.py", figure=study.figure_settings(wildcards.figure)
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_training.py"


rule draw_search:
    input:
        tables=lambda wildcards: study.figure_tables(wildcards.figure),
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("search")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "figures/plot_search.py", figure=study.figure_settings(wildcards.figure)
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_search.py"


rule draw_barrier:
    input:
        table=lambda wildcards: study.figure_tables(wildcards.figure)[0],
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("barrier")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "figures/plot_barrier.py", figure=study.figure_settings(wildcards.figure)
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_barrier.py"


rule draw_linearity:
    input:
        table=lambda wildcards: study.figure_tables(wildcards.figure)[0],
        summary=lambda wildcards: study.figure_tables(wildcards.figure)[1],
    output:
        png=drawn("png", "image (PNG)"),
        pdf=drawn("pdf", "vector (PDF)"),
    log:
        study.log("figures", "{figure}"),
    benchmark:
        study.benchmark("figures", "{figure}")
    wildcard_constraints:
        figure=alternatives(study.figures_of("linearity")),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "figures/plot_linearity.py", figure=study.figure_settings(wildcards.figure)
        ),
    message:
        "Draw {wildcards.figure}"
    script:
        "../scripts/figures/plot_linearity.py"


rule describe_figure:
    input:
        tables=lambda wildcards: study.figure_tables(wildcards.figure),
        judges=lambda wildcards: study.figure_judges(wildcards.figure),
        tokenizers=lambda wildcards: [folder for _, folder in study.figure_tokens(wildcards.figure)],
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
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: study.settings("figures/caption.py", **study.caption_settings(wildcards.figure)),
    message:
        "Describe {wildcards.figure}"
    script:
        "../scripts/figures/caption.py"
