"""distinct-n of every prompt at all points of a line."""

from pathlib import Path

import pandas as pd

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.distinct import score_distinct
from lm_interpolation.scores.line_texts import read_point_texts
from lm_interpolation.scores.score_files import write_scores


def main(job: Job, *, points: list[str], n: list[int], samples: int | None = None) -> None:
    frames = []
    for point, path in zip(points, job.input.texts, strict=True):
        texts = read_point_texts(path, samples)
        values = score_distinct(texts["row"].tolist(), texts["sample"].tolist(), texts["continuation"].tolist(), n)
        values.insert(0, "point", point)
        frames.append(values)
    write_scores(pd.concat(frames, ignore_index=True), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
