"""How coarsely an imported model was rounded, beside its distance from a model that it is combined with."""

import json
from pathlib import Path
from typing import Any

from lm_interpolation.analyses.rounding import describe_rounding, measure_rounding
from lm_interpolation.jobs.runtime import announce, atomic_path, run_job


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    model, reference = map(Path, snakemake.input.models)
    result = measure_rounding(settings["model"], model, settings["reference"], reference)
    if (line := describe_rounding(result)) is not None:
        announce(f"[rounding] {line}")
    with atomic_path(snakemake.output[0]) as scratch:
        scratch.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
