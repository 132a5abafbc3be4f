"""How coarsely an imported model was rounded, compared with its distance from a model that it is combined with."""

import json
from pathlib import Path

from lm_interpolation.analyses.rounding import describe_rounding, measure_rounding
from lm_interpolation.jobs.runtime import Job, announce, atomic_path, run_job


def main(job: Job, *, model: str, reference: str) -> None:
    folder, other = map(Path, job.input.models)
    result = measure_rounding(model, folder, reference, other)
    if (line := describe_rounding(result)) is not None:
        announce(f"[rounding] {line}")
    with atomic_path(job.output[0]) as scratch:
        scratch.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
