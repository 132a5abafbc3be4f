"""The manifest of the finished study."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.manifest import describe_artefacts, describe_study, total_bytes, write_manifest
from lm_interpolation.jobs.places import LOCK
from lm_interpolation.jobs.runtime import Progress, run_job


def main(snakemake: Any) -> None:
    output = Path(snakemake.output[0])
    jobs, root = snakemake.params.settings["jobs"], Path(snakemake.params.settings["root"])
    progress = Progress("manifest", total_bytes(jobs), "bytes")
    # First what the study is made with: hashing takes a while, in which somebody may edit a source file.
    manifest = describe_study(snakemake.config, root, LOCK)
    write_manifest(manifest | describe_artefacts(jobs, output.parent, progress.update), output)


if __name__ == "__main__":
    run_job(main, snakemake)
