"""A model against its first-order Taylor expansion over a plane (section 5, Eq. 5 of the paper)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.linearity import linearity, write_linearity
from lm_interpolation.analyses.prefixes import read_prefixes
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.algebra import Point, direction_of, sweep_from_settings
from lm_interpolation.points.interpolation import WeightSpace


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    models: list[str],
    sweep: dict[str, Any],
    words: list[tuple[str, list[str]]],
    prefixes: int,
    tolerance: float,
) -> None:
    prepare_job(device, threads, gpus)
    plane, spec = sweep_from_settings(sweep), sweep["spec"]
    folders = dict(zip(models, map(Path, job.input.models), strict=True))
    table, summary = linearity(
        # Forward-mode differentiation needs this attention.
        WeightSpace(folders, device=device, attention="eager"),
        plane,
        Point.of(spec["origin"]),
        {coordinate: direction_of(direction) for coordinate, direction in spec["directions"].items()},
        read_prefixes(job.input.prompts, prefixes)["text"].tolist(),
        dict(words),
        tolerance=tolerance,
        batch_size=batch_size,
        progress=Progress(f"linearity {plane.name}", len(plane.points), "points"),
    )
    write_linearity(table, summary, Path(job.output.table), Path(job.output.summary))


if __name__ == "__main__":
    run_job(main, snakemake)
