"""Import a language model from a GGUF file, on the hub or in a local folder, in fp32."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.hub import locked_commit
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.models.gguf_importing import import_gguf


def main(job: Job, device: str, threads: int, gpus: int, hub_lock: str | None, *, start: dict[str, Any]) -> None:
    prepare_job(device, threads, gpus)
    commit = None
    if "hub" in start:
        commit = locked_commit(start["hub"], "model", start["revision"], hub_lock)
    source, choice = start.get("hub") or start["directory"], start.get("special_tokens", "tokenizer")
    tokenizer = start.get("tokenizer_directory")
    import_gguf(source, commit, start["gguf_file"], tokenizer, Path(job.output[0]), choice)


if __name__ == "__main__":
    run_job(main, snakemake)
