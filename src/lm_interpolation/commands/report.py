"""Write the HTML report of a finished study: ``lm-interpolation report`` and the arguments of its Snakemake.

Snakemake's own ``--report FILE`` does the work. Before that, one line says what an unfinished study lacks, or that
results are older than the settings; afterwards one says where the report is. Only a complete report replaces an older
one.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lm_interpolation.commands.arguments import Run
from lm_interpolation.jobs.places import ROOT
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.jobs.scratch import own_scratch
from lm_interpolation.study.study import Study

# The end of a traceback.
_SYSTEM = re.compile(r"^\w+Error: \[Errno (\d+)\] (.+)\Z", re.MULTILINE)
# One line of the page: all the JSON that Snakemake writes there.
_DATA = re.compile(r"^ *var \w+ = .*;$", re.MULTILINE)


def check_finished(study: Study, how: str) -> None:
    """Raise ``UserError`` if part of the study is missing; ``how`` is the command that builds it."""
    wanted = study.targets.results()
    missing = [path for path in wanted if not Path(path).exists()]
    if missing:
        named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise UserError(
            f"study {study.name} is not finished: {len(missing)} of {len(wanted)} results are missing ({named}); "
            f"build them with {how}, then ask for the report again"
        )


def check_current(study: Study, arguments: list[str], how: str, start: Path) -> None:
    """Warn on stderr if Snakemake would make results again: the report shows results and captions as they are.

    ``arguments`` are relative to the folder ``start``.

    Raises ``UserError`` if Snakemake cannot tell.
    """
    results = study.targets.results()
    command = [sys.executable, "-m", "snakemake", *arguments, "--dry-run", "--quiet", "rules", "--", *results]
    plan = subprocess.run(command, cwd=start, check=False, capture_output=True, text=True)
    if plan.returncode != 0:
        print(f"{plan.stdout}{plan.stderr}".rstrip(), file=sys.stderr)
        raise UserError("snakemake cannot plan the study, see above; fix that first")
    if "Nothing to be done" not in plan.stdout + plan.stderr:
        print(
            f"note: results of study {study.name} are older than its settings, data or sources; the report shows them "
            f"as they were made ({how} brings them up to date, with ARGS=-n it says which)",
            file=sys.stderr,
        )


def close_scripts(page: str) -> str:
    """Snakemake's page, changed so that no text closes a script: Snakemake copies ``</script>`` in a title unchanged.

    In JSON, ``<`` may be written as an escape with the same meaning.
    """
    return _DATA.sub(lambda line: line[0].replace("</", "\\u003c/").replace("<!--", "\\u003c!--"), page)


def make_report(command: Sequence[str], report: Path, verbose: bool, start: Path) -> None:
    """Run Snakemake with ``command`` in the folder ``start`` to write its report to the new file ``report``.

    Its output is shown if ``verbose`` is set or it fails. Raises ``OSError`` or ``UserError`` if it fails.
    """
    kept = None if verbose else subprocess.PIPE
    whole = [*command, "--report", str(report.absolute())]
    done = subprocess.run(whole, cwd=start, check=False, stdout=kept, stderr=kept, text=True)
    if done.returncode != 0:
        said = "" if verbose else (done.stdout + done.stderr).rstrip()
        # A full disk, for example: the system's own message is clear enough.
        if failed := _SYSTEM.search(said):
            raise OSError(int(failed[1]), failed[2])
        print(said, file=sys.stderr)
        raise UserError("snakemake --report failed, see above")
    report.write_text(close_scripts(report.read_text(encoding="utf-8")), encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Write ``results/<study>/report.html``. Raises ``UserError`` if it cannot be written."""
    run = Run("report", "Write the HTML report of a finished study.", arguments)
    command = [sys.executable, "-m", "snakemake", *run.arguments]
    if not run.options.report_stylesheet:
        command += ["--report-stylesheet", str(ROOT / "profiles" / "style.css")]
    how = " ".join(["make all", *(f"CONFIG={file}" for file in run.options.configfile or [])])
    start = Path.cwd()
    run.enter()
    study = run.study()
    check_finished(study, how)
    report = study.path("report.html")
    # Done before planning, so that one line says at once if the report cannot be written.
    with own_scratch(report) as scratch:
        check_current(study, run.arguments, how, start)
        make_report(command, scratch, run.options.verbose, start)
    print(f"{report}: {Path(report).stat().st_size / 1e6:.1f} MB, to be opened in any browser, here or elsewhere")
