"""The files of a study from a published archive: members as they are, and tables of folders with one text per file.

Imports no heavy package.
"""

import gzip
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lm_interpolation.data.archives import archive_files
from lm_interpolation.data.data_files import decode_text
from lm_interpolation.jobs.runtime import UserError, announce, atomic_path

_RATED = re.compile(r"(\d+)_(\d+)\.txt")
_BREAKS = re.compile(r"[\t\r\n]")


def unpack(archive: Path, members: Mapping[str, str], tables: Mapping[str, str], what: str) -> None:
    """Write files from a zip or tar archive, each whole or not at all.

    Args:
        archive: its path.
        members: path to the name of the member whose bytes the file gets.
        tables: path to a folder of the archive that holds texts in files called ``<id>_<rating>.txt``, as those of the
            Large Movie Review Dataset; the file gets their table (see ``table_of``), with gzip if it ends in ``.gz``.
        what: how lines of progress and errors call the archive.

    Raises ``UserError`` for an archive that is damaged, lacks a member or a folder, has a member whose name leads out
    of the folder, or texts that are not UTF-8.
    """
    names, folders = set(members.values()), {folder.rstrip("/") for folder in tables.values()}
    contents: dict[str, bytes] = {}
    texts: dict[str, dict[str, bytes]] = defaultdict(dict)

    def wanted(name: str) -> bool:
        return _plain(name) in names or _folder(name) in folders

    # To its end before anything is written, since only there it is known to be whole.
    for name, content in archive_files(archive, wanted, "delete it and run this again"):
        _refuse_outside(name, archive, what)
        if _plain(name) in names:
            contents[_plain(name)] = content
        if _folder(name) in folders:
            texts[_folder(name)][PurePosixPath(name).name] = content
    for name in sorted((names - contents.keys()) | (folders - texts.keys())):
        raise UserError(f"{what}: {archive} holds no {name}; correct what is declared of this download")
    for path, name in members.items():
        _write(Path(path), contents[name], what)
    for path, folder in tables.items():
        table = table_of(texts[folder.rstrip("/")], f"{archive}/{folder.rstrip('/')}", what)
        # Without a name and a time, so that equal tables are equal files.
        _write(Path(path), gzip.compress(table, mtime=0) if path.endswith(".gz") else table, what)


def table_of(files: Mapping[str, bytes], place: str, what: str) -> bytes:
    """The table, in UTF-8, of files called ``<id>_<rating>.txt``: one line ``id``, ``rating``, ``text`` each, by id.

    Tabs separate the columns, so that tabs and line breaks of a text become spaces; a line says how many. Raises
    ``UserError`` for a file of another name, two files with one id, and text that is not UTF-8; ``place`` is where the
    files lie.
    """
    rows: dict[int, str] = {}
    broken = 0
    for name, content in files.items():
        rated = _RATED.fullmatch(name)
        if rated is None:
            raise UserError(f"{what}: {place}/{name} is not called <id>_<rating>.txt; correct what is declared of it")
        if int(rated[1]) in rows:
            raise UserError(f"{what}: {place} has two files with the id {rated[1]}; it is not the published archive")
        text = decode_text(content, f"{place}/{name}").rstrip("\r\n")
        broken += _BREAKS.search(text) is not None
        rows[int(rated[1])] = f"{int(rated[1])}\t{int(rated[2])}\t{_BREAKS.sub(' ', text)}\n"
    if broken:
        announce(f"[data] {what}: {broken} texts of {place} have tabs or line breaks, which become spaces")
    return "".join(rows[key] for key in sorted(rows)).encode()


def _write(path: Path, content: bytes, what: str) -> None:
    with atomic_path(path) as scratch:
        scratch.write_bytes(content)
    announce(f"[data] {what}: wrote {path}, {path.stat().st_size} bytes")


def _plain(name: str) -> str:
    """The name of a member without ``./``, which some programs put before it."""
    return str(PurePosixPath(name))


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _refuse_outside(name: str, archive: Path, what: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise UserError(
            f"{what}: {archive} has a member {name!r}, which leads out of its folder; nothing is taken from it. It is "
            "not what was published: delete it"
        )
