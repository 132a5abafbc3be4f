"""Results of trainings that Snakemake does not know of.

Where Snakemake is killed, a training that goes on may end well, but none notes that it did: the next run deletes its
outputs, and starts it again. So a training leaves its results in its scratch folder too, from where that next run
takes them. They are hard links: they take no space of their own while the outputs are there.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lm_interpolation.jobs.checksums import check_files, write_checksums
from lm_interpolation.jobs.runtime import UserError, announce, atomic_path

FINISHED = "finished"
"""Folder in a training's scratch folder, which is named after all that the results depend on (``jobs``)."""


def keep(scratch: Path, outputs: Mapping[str, Path]) -> None:
    """Leave ``outputs`` (name -> file or directory) in ``scratch``, and nothing else."""
    with atomic_path(scratch / FINISHED) as folder:
        folder.mkdir()
        for name, output in outputs.items():
            _copy(output, folder / name)
        write_checksums(folder)
    for path in scratch.iterdir():
        if path.name != FINISHED:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def publish(scratch: Path, outputs: Mapping[str, Path]) -> bool:
    """Write ``outputs`` as an earlier run kept them; False where none did, or where they are damaged."""
    folder = scratch / FINISHED
    if not folder.exists():
        return False
    try:
        check_files(folder)
    except UserError as error:
        announce(f"{error}; made again")
        shutil.rmtree(folder)
        return False
    for name, output in outputs.items():
        with atomic_path(output) as partial:
            _copy(folder / name, partial)
    announce(f"{', '.join(map(str, outputs.values()))}: finished by a run that Snakemake did not see the end of")
    return True


def forget(scratch: Path) -> None:
    """Remove what ``keep`` left in the folders in ``scratch``: Snakemake knows of all results."""
    for folder in scratch.glob(f"*/{FINISHED}"):
        shutil.rmtree(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without hard links: the same bytes, twice.
        shutil.copyfile(source, target)
