"""The study's lower precision against fp32, on a sample of its texts and scores."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.precision import check_precisions, compare_precisions, runs, write_precisions
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, UserError, error_prefix, run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.generation import Sampling


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings, config = snakemake.params.settings, snakemake.config
    points = [Point.parse(identifier) for identifier in settings["points"]]
    prompts = read_parquet(snakemake.input.prompts).to_pandas()
    if len(prompts) < settings["prompts"]:
        raise UserError(
            f"{snakemake.input.prompts}: has {len(prompts)} prompts, but {settings['prompts']} are to be compared in "
            "two precisions; ask for fewer"
        )
    scorers = dict(settings["scorers"])
    total = runs(len(points), settings["generation"], [spec["precision"] for spec in scorers.values()])
    table = compare_precisions(
        dict(zip(points, map(Path, snakemake.input.checkpoints), strict=True)),
        dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True)),
        prompts.head(settings["prompts"]),
        Sampling(**settings["sampling"]),
        settings["generation"],
        scorers,
        config["compute"]["batch_size"],
        device=config["device"],
        progress=Progress("compare precisions", total, "runs").update,
    )
    # The log has all numbers, whatever the check says.
    print(table.to_string())
    reason = config["analyses"][snakemake.wildcards.analysis]["reason"]
    with error_prefix(f"analyses.{snakemake.wildcards.analysis}"):
        check_precisions(table, scorers, settings["threshold"], reason)
    write_precisions(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
