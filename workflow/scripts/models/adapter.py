"""The model that a LoRA adapter, from the hub or a local folder, makes of another."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.hub import locked_commit
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.models.adapter_hub import fetch_adapter
from lm_interpolation.points.adapters import merge_adapter


def main(job: Job, hub_lock: str | None, *, start: dict[str, Any]) -> None:
    adapter = start["adapter"]
    if "hub" in adapter:
        commit = locked_commit(adapter["hub"], "model", adapter["revision"], hub_lock)
        folder = fetch_adapter(adapter["hub"], commit)
    else:
        folder = Path(adapter["directory"])
    merge_adapter(start["model"], Path(job.input.base), folder, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
