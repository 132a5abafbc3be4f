"""Number of words of all continuations along a line."""

from pathlib import Path

import pandas as pd

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.length import score_length
from lm_interpolation.scores.line_texts import read_point_texts
from lm_interpolation.scores.score_files import write_scores


def main(job: Job, *, points: list[str], samples: int | None = None) -> None:
    frames = []
    for point, path in zip(points, job.input.texts, strict=True):
        texts = read_point_texts(path, samples)
        values = score_length(texts["continuation"].tolist())
        frames.append(texts[["row", "sample"]].assign(point=point).join(values))
    write_scores(pd.concat(frames, ignore_index=True), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
