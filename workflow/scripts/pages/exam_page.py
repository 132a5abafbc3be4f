"""The exam of a judge as a page to read."""

import json
from pathlib import Path

from lm_interpolation.jobs.runtime import Job, atomic_path, run_job
from lm_interpolation.pages.exams import exam_markdown
from lm_interpolation.pages.pages import markdown_page
from lm_interpolation.scores.judges import Judge, read_exam


def main(job: Job, *, model: str, mark: float | None) -> None:
    path = Path(job.input[0])
    judge = Judge(model, {}, read_exam(path, {}, mark))
    text = exam_markdown(judge, json.loads(path.read_text(encoding="utf-8")))
    with atomic_path(job.output[0]) as scratch:
        scratch.write_text(markdown_page(f"Exam of {model}", text), encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
