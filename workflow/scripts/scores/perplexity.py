"""Negative log-likelihood of all texts along a line under a judge language model, which is loaded once."""

from pathlib import Path

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.scores.line_texts import read_line_texts
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.scores.score_files import write_scores


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    points: list[str],
    precision: str,
    too_long: str,
    samples: int | None = None,
) -> None:
    prepare_job(device, threads, gpus)
    texts = read_line_texts(job.input.texts, points, Path(job.input.prompts), samples)
    values = score_perplexity(
        Path(job.input.model),
        texts["prompt"].tolist(),
        texts["continuation"].tolist(),
        batch_size=batch_size,
        device=device,
        progress=Progress(f"score {job.wildcards.scorer} {job.wildcards.line}", len(texts), "texts").update,
        precision=precision,
        too_long=too_long,
    )
    write_scores(texts[["point", "row", "sample"]].join(values), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
