# Verdicts on the paper's claims, and the front page of the report, which counts them.


rule verdicts:
    input:
        unpack(lambda wildcards: study.claim_inputs()),
        leaks=study.path("leaks.json"),
    output:
        markdown=study.path("claims.md"),
        json=verdicts_file("json", "values (JSON)"),
    log:
        study.log("claims"),
    benchmark:
        study.benchmark("claims")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: study.settings("claims/claims.py", **study.claim_settings()),
    message:
        "Test the claims"
    script:
        "../scripts/claims/claims.py"


rule verdicts_page:
    input:
        study.path("claims.md"),
    output:
        verdicts_file("html", "page (HTML)"),
    log:
        study.log("claims-page"),
    benchmark:
        study.benchmark("claims-page")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: study.settings("claims/claims_page.py", study=study.name),
    message:
        "Show the verdicts"
    script:
        "../scripts/claims/claims_page.py"


rule overview:
    input:
        tables=study.sweep_tables(),
        claims=study.claims(),
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
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: study.settings("pages/overview.py", **study.overview_settings()),
    message:
        "Write the front page of the report"
    script:
        "../scripts/pages/overview.py"
