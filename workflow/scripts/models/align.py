"""A model with its units permuted to match another one (Ainsworth et al. 2022)."""

import json
from pathlib import Path

from lm_interpolation.jobs.runtime import Job, Progress, atomic_path, run_job
from lm_interpolation.models.rebasin import SWEEPS
from lm_interpolation.points.aligning import align


def main(job: Job, *, model: str, target: str, permute: list[str], seed: int) -> None:
    progress = Progress(f"align {model} with {target}", SWEEPS, "sweeps (at most)")
    models = {model: Path(job.input.model), target: Path(job.input.target)}
    matching = align(models, Path(job.output.model), permute, seed, progress.update)
    found = {"model": model, "to": target, "permute": permute, "seed": seed, **matching.plain()}
    with atomic_path(job.output.alignment) as partial:
        partial.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
