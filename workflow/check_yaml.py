"""Refuse config files that cannot be read, with the line of the slip: ``python -m workflow.check_yaml FILE ...``.

Snakemake reads them before anything of ours runs. It tells neither the file nor the line, and of some it dies.
"""

import sys
from collections.abc import Sequence

from workflow.lib.config_files import read_config
from workflow.lib.runtime import UserError


def main(files: Sequence[str]) -> None:
    """Raise ``UserError`` for the first file that cannot be read as a configuration."""
    for file in files:
        read_config(file)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
