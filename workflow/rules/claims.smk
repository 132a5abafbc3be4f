# Verdicts on the paper's claims.


rule verdicts:
    input:
        unpack(lambda wildcards: study.claim_inputs()),
    output:
        markdown=study.path("claims.md"),
        json=study.path("claims.json"),
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
        settings=study.settings("claims.py", **study.claim_settings()),
    message:
        "Test the claims"
    script:
        "../scripts/claims.py"
