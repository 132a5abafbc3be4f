# The manifest at the end of a complete study, and the comparison of a finished study with a manifest.

from dataclasses import asdict

from lm_interpolation.jobs.places import ROOT
from lm_interpolation.study.lineage import jobs_behind, settings_of
from lm_interpolation.jobs.records import settings_digest


# Its inputs are the final results. If all artefacts were inputs, it would rebuild those that somebody has deleted to
# save space.
rule manifest:
    input:
        results=study.targets.results(),
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
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        settings=lambda wildcards: study.settings(
            "study/manifest.py",
            root=os.path.relpath(ROOT),
            jobs=[
                asdict(job) for job in jobs_behind(study.targets.results(), own_rules(), study.targets.measurements())
            ],
        ),
        execution=lambda wildcards, threads: study.execution(config=config),
    message:
        "Write the manifest"
    script:
        "../scripts/study/manifest.py"


# It has no inputs: otherwise Snakemake would first rebuild whatever depends on a changed artefact. It has no benchmark:
# that counts as an output, so the rule would run only once.
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
                    jobs_behind(study.targets.results(), own_rules(), study.targets.measurements()), own_rules()
                )
            ],
        ),
    message:
        "Compare the study with a manifest"
    script:
        "../scripts/study/verify.py"
