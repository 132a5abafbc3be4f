"""Class probabilities of all texts along a line; the classifier is loaded once."""

from pathlib import Path

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.scores.line_texts import read_line_texts
from lm_interpolation.scores.score_files import write_scores


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    points: list[str],
    labels: dict[str, str] | None,
    text: str,
    precision: str,
    too_long: str,
    samples: int | None = None,
) -> None:
    prepare_job(device, threads, gpus)
    texts = read_line_texts(job.input.texts, points, Path(job.input.prompts), samples)
    full = texts["prompt"] + texts["continuation"]
    values = score_classifier(
        Path(job.input.model),
        (full if text == "full" else texts["continuation"]).tolist(),
        batch_size=batch_size,
        device=device,
        labels=labels,
        progress=Progress(f"score {job.wildcards.scorer} {job.wildcards.line}", len(texts), "texts").update,
        precision=precision,
        too_long=too_long,
        prompts=texts["prompt"].tolist() if text == "full" else None,
    )
    write_scores(texts[["point", "row", "sample"]].join(values), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
