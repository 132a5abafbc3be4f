"""Check that all results are unchanged: ``lm-interpolation verify`` and the arguments of the study's Snakemake.

It does the same as the target ``verify``, but without a job: it writes nothing, neither a log nor Snakemake's notes. So
it can verify a read-only archive, and a study that Snakemake is working on.
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
    """Print differences and the verdict on stdout. Raises ``UserError`` if there is a difference."""
    run = Run("verify", "Compare a finished study with its manifest, or with that of another rebuild.", arguments)
    run.enter()
    # Snakemake accepts more than this, and runs code that is in them.
    for file in run.files:
        read_config(file)
    try:
        config = ConfigSettings(run.overrides(), list(map(Path, run.files)) if run.options.configfile else [])
        # Read the Snakefile as jobs do, without restoring notes, since nothing is planned.
        mode = WorkflowSettings(exec_mode=ExecMode.SUBPROCESS)
        with SnakemakeApi(OutputSettings(enable_file_logging=False)) as api:
            loaded = api.workflow(ResourceSettings(cores=1), config, workflow_settings=mode, snakefile=run.snakefile)
            workflow = loaded._workflow
            rule = workflow.get_rule("verify")
            params, _ = rule.expand_params(Wildcards(), InputFiles(), OutputFiles(), None)
            # A job writes these lines to its log; here they go to the screen.
            verify(**arguments_of(params.settings), log="the lines above")
    except WorkflowError as error:
        raise UserError(str(error)) from None
