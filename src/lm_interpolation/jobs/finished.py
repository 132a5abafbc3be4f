"""Results of trainings that Snakemake does not know about.

If Snakemake is killed, its training may still end well, but nothing records that: the next run deletes its
outputs and starts it again. So a training also leaves its results in its scratch folder, and the next run
takes them from there. They are hard links, which take no extra space while the outputs exist.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lm_interpolation.jobs.checksums import check_files, write_checksums
from lm_interpolation.jobs.runtime import UserError, announce, atomic_path

FINISHED = "finished"
"""Folder in a training's scratch folder, whose name is a digest of all that the results depend on (``jobs``)."""


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
    """Write ``outputs`` as an earlier run kept them, and say so; False if none did, or if they are damaged."""
    found = take(scratch, outputs)
    if found:
        announce(f"{', '.join(map(str, outputs.values()))}: finished by a run that Snakemake did not see the end of")
    return found


def take(scratch: Path, outputs: Mapping[str, Path]) -> bool:
    """Write ``outputs`` as ``keep`` left them; False if it did not, or if they are damaged."""
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
