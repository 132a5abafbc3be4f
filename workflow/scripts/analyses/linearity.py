"""A model against its first-order Taylor expansion over a plane (section 5, Eq. 5 of the paper)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.linearity import linearity, write_linearity
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, UserError, run_job
from lm_interpolation.points.algebra import Point, sweep_from_settings
from lm_interpolation.points.interpolation import WeightSpace


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings = snakemake.params.settings
    sweep, spec = sweep_from_settings(settings["sweep"]), settings["sweep"]["spec"]
    models = dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True))
    prompts = read_parquet(snakemake.input.prompts, ["text"])["text"].to_pylist()
    if len(prompts) < settings["prefixes"]:
        raise UserError(
            f"prefixes: {settings['prefixes']} asked for, but {snakemake.input.prompts} holds {len(prompts)} prompts; "
            "lower it"
        )
    table, summary = linearity(
        # Forward-mode differentiation needs this attention.
        WeightSpace(models, device=snakemake.config["device"], attention="eager"),
        sweep,
        Point.of(spec["origin"]),
        spec["directions"],
        prompts[: settings["prefixes"]],
        dict(settings["words"]),
        tolerance=settings["tolerance"],
        batch_size=snakemake.config["compute"]["batch_size"]["score"],
        progress=Progress(f"linearity {sweep.name}", len(sweep.points), "points"),
    )
    write_linearity(table, summary, Path(snakemake.output.table), Path(snakemake.output.summary))


if __name__ == "__main__":
    run_job(main, snakemake)
