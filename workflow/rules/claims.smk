# Verdicts on the paper's claims.

from lm_interpolation.study import verdicts


rule verdicts:
    input:
        unpack(lambda wildcards: verdicts.inputs(study)),
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
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: study.settings("claims/claims.py", **verdicts.settings(study)),
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
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=lambda wildcards: study.settings("claims/claims_page.py", study=study.name),
    message:
        "Show the verdicts"
    script:
        "../scripts/claims/claims_page.py"
