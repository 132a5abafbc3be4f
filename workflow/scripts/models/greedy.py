"""A greedy soup: the mean of those models that lower its loss on dev texts (Wortsman et al. 2022)."""

import json
from pathlib import Path

from lm_interpolation.analyses.greedy_soups import greedy_soup
from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, atomic_path, run_job
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.means import Mean
from lm_interpolation.points.merging import merge


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    models: list[str],
    corpus: str,
    split: str,
    class_name: str | None,
    limit: int | None,
) -> None:
    prepare_job(device, threads, gpus)
    folders = dict(zip(models, map(Path, job.input.models), strict=True))
    texts = read_corpus_split(Path(job.input.texts), class_name)[:limit]
    progress = Progress(f"greedy soup {job.wildcards.model}", 2 * len(models) - 1, "evaluations")
    found = greedy_soup(WeightSpace(folders, device), texts, batch_size, progress.update)
    merge(Mean.of_models(found.models), folders, Path(job.output.model))
    selection = {"corpus": corpus, "split": split, "class": class_name, "texts": len(texts), **found.plain()}
    with atomic_path(job.output.selection) as partial:
        partial.write_text(json.dumps(selection, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
