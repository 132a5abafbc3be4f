"""Bring a model from the hub or a local folder into the study, in fp32 and with its tokenizer."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.hub import locked_commit
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.models.importing import import_model


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings = snakemake.params.settings
    start = settings["start"]
    commit = None
    if "hub" in start:
        commit = locked_commit(start["hub"], "model", start["revision"], snakemake.config.get("hub_lock"))
    source, choice = start.get("hub") or start["directory"], start.get("special_tokens", "tokenizer")
    import_model(source, commit, settings["task"], Path(snakemake.output[0]), choice)


if __name__ == "__main__":
    run_job(main, snakemake)
