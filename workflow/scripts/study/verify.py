"""Compare the files of a finished study with its manifest, or with that of another rebuild."""

from typing import Any

from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.study.verification import verify


def main(snakemake: Any) -> None:
    verify(snakemake.params.settings, snakemake.config, str(snakemake.log))


if __name__ == "__main__":
    run_job(main, snakemake)
