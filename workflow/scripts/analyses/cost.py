"""Time and peak memory of generating at some points, in weight space and in logit space."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.cost import measure_cost, write_cost
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.leases import lease_gpus
from lm_interpolation.jobs.runtime import Progress, UserError, run_job
from lm_interpolation.points.algebra import Point


def main(snakemake: Any) -> None:
    # For the processes that compute: this one does not.
    lease_gpus(snakemake.resources.get("gpu", 0))
    settings = snakemake.params.settings
    points = [Point.parse(identifier) for identifier in settings["points"]]
    prompts = read_parquet(snakemake.input.prompts).to_pandas()
    if len(prompts) < settings["prompts"]:
        raise UserError(
            f"{snakemake.input.prompts}: has {len(prompts)} prompts, but the cost is to be measured on "
            f"{settings['prompts']}; ask for fewer"
        )
    table = measure_cost(
        dict(zip(points, map(Path, snakemake.input.checkpoints), strict=True)),
        dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True)),
        prompts.head(settings["prompts"]),
        settings["sampling"],
        settings["nucleus"],
        settings["repeats"],
        batch_size=snakemake.config["compute"]["batch_size"]["generate"],
        device=snakemake.config["device"],
        # The job has all cores to itself, but computes as a generation job does.
        threads=snakemake.config["compute"]["threads"]["generate"],
        progress=Progress("measure cost", 2 * len(points) * settings["repeats"], "runs"),
        precision=settings["precision"],
    )
    write_cost(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
