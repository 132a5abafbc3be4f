# The manifest that a complete study ends with, and the comparison of a finished study with one.

from dataclasses import asdict

from lm_interpolation.study.lineage import jobs_behind, settings_of
from lm_interpolation.jobs.records import settings_digest

# What they write shows times or memory, which no two rebuilds have equal; nor has it what is made of that.
MEASURING = ("measure_cost", "summary")


# Of what the study ends with: to list all artefacts as inputs would make again what somebody has deleted to save space.
rule manifest:
    input:
        results=study.results(),
    output:
        study.path("manifest.json"),
    log:
        study.log("manifest"),
    benchmark:
        study.benchmark("manifest")
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=lambda wildcards: study.settings(
            "study/manifest.py",
            root=os.path.relpath(workflow.basedir),
            jobs=[asdict(job) for job in jobs_behind(study.results(), workflow.rules, MEASURING)],
        ),
        execution=lambda wildcards, threads: study.execution(config=config),
    message:
        "Write the manifest"
    script:
        "../scripts/study/manifest.py"


# Reads what is there. With the artefacts as inputs Snakemake would first make again what depends on a changed one. A
# benchmark file would count as an output, and the rule would run once.
rule verify:
    log:
        study.log("verify"),
    localrule: True
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        settings=lambda wildcards: study.settings(
            "study/verify.py",
            top=study.path(),
            config=config,
            manifest=config.get("manifest"),
            # In the order of the data flow.
            made_by=[
                (output, *settings_digest(settings))
                for output, settings in settings_of(
                    jobs_behind(study.results(), workflow.rules, MEASURING), workflow.rules
                )
            ],
        ),
    message:
        "Compare the study with a manifest"
    script:
        "../scripts/study/verify.py"
