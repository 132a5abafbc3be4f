"""Losses of a corpus at every point of a sweep, under models that are interpolated in memory."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.loss_files import read_loss_texts, write_losses
from lm_interpolation.analyses.losses import evaluate_losses
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.points.interpolation import WeightSpace


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings = snakemake.params.settings
    sweep = sweep_from_settings(settings["sweep"])
    models = dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True))
    losses = evaluate_losses(
        WeightSpace(models, snakemake.config["device"]),
        sweep,
        read_loss_texts(Path(snakemake.input.texts)),
        batch_size=snakemake.config["compute"]["batch_size"]["score"],
        progress=Progress(f"loss {sweep.name}", len(sweep.points), "points").update,
    )
    write_losses(losses, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
