# The explorer: a page with the curves, planes and texts of the study, and one for its quick part.

from lm_interpolation.jobs.places import WORKFLOW


rule write_explorer:
    input:
        unpack(lambda wildcards: study.explorer_inputs(wildcards.page)),
        # From the folder that Snakemake runs in, so that a study can be moved.
        template=[os.path.relpath(WORKFLOW / "report" / f"explorer.{kind}") for kind in ("html", "css", "js")],
    output:
        study.path("{page}.html"),
    log:
        study.log("{page}"),
    benchmark:
        study.benchmark("{page}")
    wildcard_constraints:
        page=alternatives(list(study.explorer_pages())),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("pages/explorer.py", page=study.explorer_settings(wildcards.page)),
    message:
        "Write {wildcards.page}"
    script:
        "../scripts/pages/explorer.py"
