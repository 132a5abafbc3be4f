"""Probabilities of words and tokens right after a prompt, at every point of a line (Fig. 4 of the paper)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.next_tokens import next_token_probabilities, write_next_tokens
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.points.interpolation import WeightSpace


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings = snakemake.params.settings
    sweep = sweep_from_settings(settings["sweep"])
    models = dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True))
    table = next_token_probabilities(
        WeightSpace(models, device=snakemake.config["device"]),
        sweep,
        settings["prompt"],
        dict(settings["words"]),
        top=settings["top"],
        ends=tuple(settings["ends"]),
        batch_size=snakemake.config["compute"]["batch_size"]["score"],
        progress=Progress(f"next tokens {sweep.name}", len(sweep.points), "points"),
    )
    write_next_tokens(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
