"""The verdicts on the paper's claims: claims.md for people, claims.json for programs."""

from typing import Any

from lm_interpolation.analyses.losses import read_losses
from lm_interpolation.claims.data import ClaimData, read_analysis
from lm_interpolation.claims.page import write_claims
from lm_interpolation.claims.verdicts import corrected, judge, untested
from lm_interpolation.data.leaks import leak_lines
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.scores.judges import read_judges
from lm_interpolation.scores.scoring import ScoreFiles


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    data = ClaimData(
        sweeps={entry["name"]: sweep_from_settings(entry) for entry in settings["sweeps"]},
        scorers=dict(settings["scorers"]),
        scores=ScoreFiles(snakemake.input.scores, settings["spaces"]),
        tables={
            name: read_analysis(path) for name, path in zip(settings["tables"], snakemake.input.tables, strict=True)
        },
        losses={name: read_losses(path) for name, path in zip(settings["losses"], snakemake.input.losses, strict=True)},
        judges=read_judges(settings["judges"], snakemake.input.judges),
        seed=settings["seed"],
    )
    entries = [judge(name, spec, data) for name, spec in settings["claims"]]
    entries += [untested(name, spec, reason) for name, spec, reason in settings["untested"]]
    entries = corrected(entries)
    judges = [
        f"{described}; {data.judges[name].describe()}" if name in data.judges else described
        for name, described in settings["described"]
    ]
    leaks = leak_lines(snakemake.input.leaks)
    write_claims(settings["study"], entries, judges, leaks, snakemake.output.markdown, snakemake.output.json)


if __name__ == "__main__":
    run_job(main, snakemake)
