"""Refuse config files that are not YAML, with the line of the slip: ``python -m workflow.check_yaml FILE ...``.

Snakemake reads them before anything of ours runs, and tells neither the file nor the line.
"""

import sys
from collections.abc import Sequence

from workflow.lib.config import read_config
from workflow.lib.runtime import UserError


def main(files: Sequence[str]) -> None:
    """Raise ``UserError`` for the first file that holds no mapping in YAML."""
    for file in files:
        read_config(file)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UserError, OSError) as error:
        sys.exit(f"error: {error}")
