"""Class probabilities of all texts along a line; the classifier is loaded once."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, run_job
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.scores.line_texts import read_line_texts
from lm_interpolation.scores.score_files import write_scores


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings = snakemake.params.settings
    texts = read_line_texts(snakemake.input.texts, settings["points"], Path(snakemake.input.prompts))
    full = texts["prompt"] + texts["continuation"]
    values = score_classifier(
        Path(snakemake.input.model),
        (full if settings["text"] == "full" else texts["continuation"]).tolist(),
        batch_size=snakemake.config["compute"]["batch_size"]["score"],
        device=snakemake.config["device"],
        labels=settings["labels"],
        progress=Progress(f"score {snakemake.wildcards.scorer} {snakemake.wildcards.line}", len(texts), "texts").update,
        precision=settings["precision"],
        too_long=settings["too_long"],
    )
    write_scores(texts[["point", "row", "sample"]].join(values), Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
