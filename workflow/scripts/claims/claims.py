"""The verdicts on the paper's claims: claims.md for people, claims.json for programs."""

from typing import Any

from lm_interpolation.analyses.loss_files import read_losses
from lm_interpolation.claims.data import ClaimData, read_analysis
from lm_interpolation.claims.page import write_claims
from lm_interpolation.claims.verdicts import corrected, judge, untested
from lm_interpolation.data.leaks import leak_lines
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.scores.judges import read_judges
from lm_interpolation.scores.score_files import ScoreFiles
from lm_interpolation.scores.statistic import statistics_from


def main(
    job: Job,
    *,
    study: str,
    described: list[tuple[str, str]],
    judges: list[dict[str, Any]],
    claims: list[dict[str, Any]],
    left_out: list[tuple[dict[str, Any], str]],
    sweeps: list[dict[str, Any]],
    spaces: dict[str, str],
    scorers: list[tuple[str, list[dict[str, Any]]]],
    barriers: dict[str, str],
    tables: list[str],
    losses: list[str],
    seed: int,
) -> None:
    data = ClaimData(
        sweeps={entry["name"]: sweep_from_settings(entry) for entry in sweeps},
        scorers={scorer: statistics_from(entries) for scorer, entries in scorers},
        barriers=barriers,
        scores=ScoreFiles(job.input.scores, spaces),
        tables={name: read_analysis(path) for name, path in zip(tables, job.input.tables, strict=True)},
        losses={name: read_losses(path) for name, path in zip(losses, job.input.losses, strict=True)},
        judges=read_judges(judges, job.input.judges),
        seed=seed,
    )
    entries = [judge(claim, data) for claim in claims]
    entries += [untested(claim, reason) for claim, reason in left_out]
    entries = corrected(entries)
    lines = [f"{line}; {data.judges[name].describe()}" if name in data.judges else line for name, line in described]
    leaks = leak_lines(job.input.leaks)
    write_claims(study, entries, lines, leaks, job.output.markdown, job.output.json)


if __name__ == "__main__":
    run_job(main, snakemake)
