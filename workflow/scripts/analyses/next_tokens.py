"""Probabilities of words and tokens right after a prompt, at every point of a line (Fig. 4 of the paper)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.next_tokens import next_token_probabilities, write_next_tokens
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.algebra import sweep_from_settings
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
    prompt: str,
    words: list[tuple[str, list[str]]],
    top: int,
    ends: tuple[float, float],
) -> None:
    prepare_job(device, threads, gpus)
    line = sweep_from_settings(sweep)
    folders = dict(zip(models, map(Path, job.input.models), strict=True))
    table = next_token_probabilities(
        WeightSpace(folders, device=device),
        line,
        prompt,
        dict(words),
        top=top,
        ends=ends,
        batch_size=batch_size,
        progress=Progress(f"next tokens {line.name}", len(line.points), "points"),
    )
    write_next_tokens(table, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
