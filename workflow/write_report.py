"""Write the HTML report of a finished study: ``python -m workflow.write_report`` and the arguments of its Snakemake,
in the folder of the Snakefile.

Snakemake's own ``--report FILE`` does the work. Before it, one line says what an unfinished study lacks, or that
results are older than the settings; after it, where the report is.
"""

import subprocess
import sys
from pathlib import Path

from snakemake.cli import parse_args, parse_config
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from workflow.lib.config import typed_overrides
from workflow.lib.config_files import read_config
from workflow.lib.runtime import UserError
from workflow.lib.study import Study


def load_study(files: list[str], overrides: list[str]) -> Study:
    """The study of these config files and ``key=value`` pairs, as the Snakefile reads it. Raises ``UserError``."""
    config: dict = {}
    for file in files:
        if not Path(file).is_file():
            raise UserError(f"{file}: there is no such config file; config/ has those of the included studies")
        update_config(config, read_config(file))
    try:
        update_config(config, typed_overrides(parse_config(overrides)))
    except ValueError as error:
        raise UserError(f"--config {' '.join(overrides)}: {error}; write key=value") from None
    return Study(config)


def check_finished(study: Study, how: str) -> None:
    """Raise ``UserError`` if something of the study is not there; ``how`` is the command that builds it."""
    wanted = study.results()
    missing = [path for path in wanted if not Path(path).exists()]
    if missing:
        named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise UserError(
            f"study {study.name} is not finished: {len(missing)} of {len(wanted)} results are missing ({named}); "
            f"build them with {how}, then ask for the report again"
        )


def check_current(study: Study, arguments: list[str], how: str) -> None:
    """Say on stderr if Snakemake would make results again: the report shows them, and their captions, as they are.

    Raises ``UserError`` if Snakemake cannot tell.
    """
    command = [sys.executable, "-m", "snakemake", *arguments, "--dry-run", "--quiet", "rules", "--", *study.results()]
    plan = subprocess.run(command, check=False, capture_output=True, text=True)
    if plan.returncode != 0:
        print(f"{plan.stdout}{plan.stderr}".rstrip(), file=sys.stderr)
        raise UserError("snakemake cannot plan the study, see above; mend that first")
    if "Nothing to be done" not in plan.stdout + plan.stderr:
        print(
            f"note: results of study {study.name} are older than its settings, data or sources; the report shows them "
            f"as they were made ({how} brings them up to date, with ARGS=-n it says which)",
            file=sys.stderr,
        )


def main(arguments: list[str]) -> None:
    """Write ``results/<study>/report.html``. Raises ``UserError`` if it cannot be written."""
    _, options = parse_args(arguments)
    files = [str(file) for file in options.configfile or ["config/config.yaml"]]
    study = load_study(files, options.config)
    how = " ".join(["make all", *(f"CONFIG={file}" for file in options.configfile or [])])
    check_finished(study, how)
    check_current(study, arguments, how)
    report = study.path("report.html")
    quiet = [] if options.verbose else ["--quiet", "all"]
    command = [sys.executable, "-m", "snakemake", *arguments, *quiet, "--report", report]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError("snakemake --report failed, see above")
    print(f"{report}: {Path(report).stat().st_size / 1e6:.1f} MB, to be opened in any browser, here or elsewhere")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UserError, WorkflowError) as error:
        sys.exit(f"error: {error}")
