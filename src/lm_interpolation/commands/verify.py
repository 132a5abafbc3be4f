"""Are all results as they were made? ``lm-interpolation verify`` and the arguments of the study's Snakemake.

It is what the target ``verify`` does, without a job: nothing is written, neither a log nor Snakemake's notes. So an
archive that cannot be written can be verified, and a study on which Snakemake is at work.
"""

from collections.abc import Sequence
from pathlib import Path

from snakemake.api import ExecMode, SnakemakeApi
from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import InputFiles, OutputFiles, Wildcards
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings, WorkflowSettings

from lm_interpolation.commands.arguments import Run
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.jobs.settings import arguments_of
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.verification import verify


def main(arguments: Sequence[str]) -> None:
    """Print what is not equal, on stdout, and the verdict. Raises ``UserError`` if something is not equal."""
    run = Run("verify", "Compare a finished study with its manifest, or with that of another rebuild.", arguments)
    run.enter()
    # Snakemake takes more than this, and runs code that is in them.
    for file in run.files:
        read_config(file)
    try:
        config = ConfigSettings(run.overrides(), list(map(Path, run.files)) if run.options.configfile else [])
        # As jobs read the Snakefile: without restoring notes, since nothing is planned.
        mode = WorkflowSettings(exec_mode=ExecMode.SUBPROCESS)
        with SnakemakeApi(OutputSettings(enable_file_logging=False)) as api:
            loaded = api.workflow(ResourceSettings(cores=1), config, workflow_settings=mode, snakefile=run.snakefile)
            workflow = loaded._workflow
            rule = workflow.get_rule("verify")
            params, _ = rule.expand_params(Wildcards(), InputFiles(), OutputFiles(), None)
            # Where a job has its log, the lines are on the screen.
            verify(**arguments_of(params.settings), log="the lines above")
    except WorkflowError as error:
        raise UserError(str(error)) from None
