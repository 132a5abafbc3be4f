"""How well a judge tells classes apart, on labelled texts that it has not learnt from."""

import json
from pathlib import Path

from lm_interpolation.data.corpora import read_labelled_split
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, atomic_path, run_job
from lm_interpolation.scores.exam import calibration_table, examine, read_questions


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    corpus: str,
    classes: list[str],
    labels: dict[str, str] | None,
    precision: str,
    baseline: str,
    bootstrap: dict[str, int],
) -> None:
    prepare_job(device, threads, gpus)
    questions = read_questions(job.input.texts, classes)
    taught = (read_labelled_split(job.input.train), read_labelled_split(job.input.dev)) if baseline == "tfidf" else None
    found = examine(
        Path(job.input.model),
        questions,
        taught,
        labels,
        **bootstrap,
        batch_size=batch_size,
        device=device,
        precision=precision,
        progress=Progress(f"examine {job.wildcards.model}", len(questions.texts), "texts").update,
    )
    with atomic_path(job.output.bins) as scratch:
        calibration_table(found).to_csv(scratch, index=False)
    with atomic_path(job.output.exam) as scratch:
        text = json.dumps({"corpus": corpus, **found}, indent=2, ensure_ascii=False, allow_nan=False)
        scratch.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
