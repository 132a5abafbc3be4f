"""Negative log-likelihood of all texts along a line under a judge language model, which is loaded once."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, run_job
from lm_interpolation.scores.line_texts import read_line_texts
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.scores.score_files import write_scores


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    points = snakemake.params.settings["points"]
    texts = read_line_texts(snakemake.input.texts, points, Path(snakemake.input.prompts))
    values = score_perplexity(
        Path(snakemake.input.model),
        texts["prompt"].tolist(),
        texts["continuation"].tolist(),
        batch_size=snakemake.config["compute"]["batch_size"]["score"],
        device=snakemake.config["device"],
        progress=Progress(f"score {snakemake.wildcards.scorer} {snakemake.wildcards.line}", len(texts), "texts").update,
        precision=snakemake.params.settings["precision"],
        too_long=snakemake.params.settings["too_long"],
    )
    write_scores(texts[["point", "row", "sample"]].join(values), Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
