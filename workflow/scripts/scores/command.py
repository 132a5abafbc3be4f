"""Scores of all texts along a line by the study's own program."""

from pathlib import Path

from lm_interpolation.jobs.runtime import Job, Progress, error_prefix, run_job
from lm_interpolation.scores.command import score_command
from lm_interpolation.scores.line_texts import read_line_texts
from lm_interpolation.scores.own_files import check_digests
from lm_interpolation.scores.own_jobs import prepare_own
from lm_interpolation.scores.score_files import write_scores


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    timeout: float,
    *,
    points: list[str],
    command: list[str],
    scores: list[str],
    digests: dict[str, str],
    samples: int | None = None,
) -> None:
    prepare_own(threads, gpus)
    check_digests(digests)
    texts = read_line_texts(job.input.texts, points, Path(job.input.prompts), samples)
    progress = Progress(f"score {job.wildcards.scorer} {job.wildcards.line}", len(texts), "texts").update
    with error_prefix(f"scorers.{job.wildcards.scorer}"):
        values = score_command(command, texts, scores, timeout, progress)
    write_scores(texts[["point", "row", "sample"]].join(values), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
