"""The manifest of the finished study."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.manifest import describe_artefacts, describe_study, total_bytes, write_manifest
from lm_interpolation.jobs.places import LOCK
from lm_interpolation.jobs.runtime import Job, Progress, run_job


def main(job: Job, config: dict[str, Any], *, root: str, jobs: list[dict[str, Any]]) -> None:
    output = Path(job.output[0])
    progress = Progress("manifest", total_bytes(jobs), "bytes")
    # Record the code first: hashing takes a while, and somebody may edit a source file in the meantime.
    manifest = describe_study(config, root, LOCK)
    write_manifest(manifest | describe_artefacts(jobs, output.parent, progress.update), output)


if __name__ == "__main__":
    run_job(main, snakemake)
