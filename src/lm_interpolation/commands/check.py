"""Refuse config files that cannot be read, with the line of the slip: ``lm-interpolation check FILE ...``.

Snakemake reads them before anything of ours runs. It tells neither the file nor the line, and of some it dies.
"""

from collections.abc import Sequence

from lm_interpolation.study.config_files import read_config


def main(files: Sequence[str]) -> None:
    """Raise ``UserError`` for the first file that cannot be read as a configuration."""
    for file in files:
        read_config(file)
