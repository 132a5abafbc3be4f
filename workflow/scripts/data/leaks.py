"""Count texts that leak: into two splits, or into the training data of both a judge and the models it judges."""

import json
from pathlib import Path
from typing import Any

from lm_interpolation.data.leaks import count_leaks
from lm_interpolation.jobs.runtime import Job, announce, atomic_path, run_job


def main(job: Job, *, plan: dict[str, Any]) -> None:
    report = count_leaks(plan, [Path(path) for path in job.input.splits])
    output = job.output[0]
    with atomic_path(output) as scratch:
        scratch.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if leaks := [*report["configured"], *report["leaks"]]:
        more = f"; {len(leaks) - 1} more in {output}" if len(leaks) > 1 else f"; see {output}"
        announce(f"[leaks] {leaks[0]}{more}")


if __name__ == "__main__":
    run_job(main, snakemake)
