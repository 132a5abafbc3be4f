# Pages for readers: the report, which shows the outputs that other rules mark for it; its front page; the explorer.


from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.study import captions, explorer


# The front page.
report: "../report/workflow.rst"


rule overview:
    input:
        tables=study.targets.sweep_tables(),
        claims=study.targets.claims(),
        judges=study.judge_metrics(config["scorers"]),
        leaks=study.path("leaks.json"),
    output:
        study.path("overview.md"),
    log:
        study.log("overview"),
    benchmark:
        study.benchmark("overview")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=lambda wildcards: study.settings("pages/overview.py", **captions.overview_settings(study)),
    message:
        "Write the front page of the report"
    script:
        "../scripts/pages/overview.py"


rule exam_page:
    input:
        study.path("judges", "{model}", "exam.json"),
    output:
        report(
            study.path("judges", "{model}", "exam.html"),
            caption="../report/exam.rst",
            category="Judges",
            labels={"judge": "{model}", "format": "page (HTML)"},
        ),
    log:
        study.log("judges", "{model}-page"),
    benchmark:
        study.benchmark("judges", "{model}-page")
    wildcard_constraints:
        model=alternatives(study.models.examined()),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=lambda wildcards: study.settings(
            "pages/exam_page.py",
            model=wildcards.model,
            mark=study.declared.models[wildcards.model].exam.accuracy,
        ),
    message:
        "Show the exam of {wildcards.model}"
    script:
        "../scripts/pages/exam_page.py"


rule write_explorer:
    input:
        unpack(lambda wildcards: explorer.inputs(study, wildcards.page)),
        # Relative to the folder that Snakemake runs in, so that a study can be moved.
        template=[
            os.path.relpath(WORKFLOW / "report" / name)
            for name in ("explorer.html", "explorer.css", "explorer_plots.js", "explorer.js")
        ],
    output:
        study.path("{page}.html"),
    log:
        study.log("{page}"),
    benchmark:
        study.benchmark("{page}")
    wildcard_constraints:
        page=alternatives(list(explorer.pages(study))),
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("pages/explorer.py", **explorer.settings(study, wildcards.page)),
    message:
        "Write {wildcards.page}"
    script:
        "../scripts/pages/explorer.py"
