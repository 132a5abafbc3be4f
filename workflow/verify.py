"""Are all results as they were made? ``python -m workflow.verify`` and the arguments of the study's Snakemake.

It is what the target ``verify`` does, without a job: nothing is written, neither a log nor Snakemake's notes. So an
archive that cannot be written can be verified, and a study on which Snakemake is at work.
"""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from snakemake.api import SnakemakeApi
from snakemake.cli import parse_args, parse_config
from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import InputFiles, OutputFiles, Wildcards
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings, WorkflowSettings
from snakemake_interface_executor_plugins.settings import ExecMode

from workflow.lib.runtime import UserError
from workflow.lib.steering import run_program
from workflow.scripts import verify


def main(arguments: Sequence[str]) -> None:
    """Print what is not equal, on stdout, and the verdict. Raises ``UserError`` if something is not equal."""
    # It tells of the profile, of which nothing matters here.
    with contextlib.redirect_stderr(io.StringIO()) as told:
        try:
            _, options = parse_args(list(arguments))
        except SystemExit:
            raise UserError(told.getvalue().strip().splitlines()[-1]) from None
    try:
        config = ConfigSettings(parse_config(options.config), list(map(Path, options.configfile or [])))
        # As jobs read the Snakefile: without restoring notes, since nothing is planned.
        mode = WorkflowSettings(exec_mode=ExecMode.SUBPROCESS)
        with SnakemakeApi(OutputSettings(enable_file_logging=False)) as api:
            loaded = api.workflow(
                ResourceSettings(cores=1), config, workflow_settings=mode, snakefile=Path("Snakefile")
            )
            workflow = loaded._workflow
            rule = workflow.get_rule("verify")
            params, _ = rule.expand_params(Wildcards(), InputFiles(), OutputFiles(), None)
            # Where a job has its log, the lines are on the screen.
            job = SimpleNamespace(params=params, config=workflow.globals["config"], log="the lines above")
            verify.main(job)
    except WorkflowError as error:
        raise UserError(str(error)) from None


if __name__ == "__main__":
    run_program(main)
