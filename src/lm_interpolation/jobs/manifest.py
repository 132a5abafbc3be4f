"""The manifest of a study: what it was made with, and the checksum of every file; and the comparison with another one.

Imports no heavy package. The cost is hashing: each file is read once. sha256 takes 0.8 s per GB on a CPU with
instructions for it (measured); disks are often slower.
"""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from lm_interpolation.jobs.places import FROM_SOURCE
from lm_interpolation.jobs.runtime import UserError, atomic_path, sha256

PathLike = str | os.PathLike[str]
OnRead = Callable[[int], None]
"""Called with the number of bytes read so far."""

# Snakemake records in it when a folder was made.
_TIMESTAMP = ".snakemake_timestamp"
_COMMIT = re.compile("[0-9a-f]{40}")


def describe_study(config: Mapping[str, Any], root: PathLike, lock: PathLike) -> dict[str, Any]:
    """What a study is made with: the whole manifest except the artefacts.

    Args:
        config: resolved.
        root: the folder of the Snakefile.
        lock: the file of pinned packages, as pip-compile writes it.

    Unknown values are None, with the reason next to them.
    """
    return {
        "study": config["study"],
        "config": dict(config),
        "source": _git_state(Path(root)),
        "python": platform.python_version(),
        "packages": _packages(Path(lock)),
        "machine": _machine(config["device"]),
        "device": config["device"],
        "precision": _precision(config),
        "seeds": dict(_seeds(config, "")),
        "hub": hub_commits(config),
    }


def describe_artefacts(
    jobs: Sequence[Mapping[str, Any]], top: PathLike, progress: OnRead | None = None
) -> dict[str, Any]:
    """``artefacts``, path to what is known of the file, and ``folders``, the outputs that are folders.

    ``jobs`` are those of ``lineage.jobs_behind`` as mappings. Returned paths are relative to ``top``, the
    study's results. A folder is listed by its files. Missing outputs are left out. Each artefact has
    ``sha256``, ``bytes``, ``rule``, ``depth`` (place in the data flow), ``reproducible``, and ``seconds`` and
    ``peak_memory_mib`` of the job that made it, with all of its outputs (None where Snakemake measured none: it does
    not sample jobs that end at once).
    """
    artefacts: dict[str, Any] = {}
    folders: list[str] = []
    done = 0
    for job in jobs:
        known = {key: job[key] for key in ("rule", "depth", "reproducible")} | measured(job["benchmark"])
        for output in map(Path, job["outputs"]):
            files = _files(output)
            if output.is_dir() and files:
                folders.append(_relative(output, top))
            for file in files:
                digest, size = sha256(file)
                artefacts[_relative(file, top)] = {"sha256": digest, "bytes": size, **known}
                done += size
                if progress:
                    progress(done)
    return {"artefacts": artefacts, "folders": sorted(folders)}


def total_bytes(jobs: Sequence[Mapping[str, Any]]) -> int:
    """Size of all existing outputs of ``jobs``."""
    return sum(file.stat().st_size for job in jobs for output in job["outputs"] for file in _files(Path(output)))


def write_manifest(manifest: Mapping[str, Any], path: PathLike) -> None:
    """Write it as JSON with sorted keys, atomically."""
    with atomic_path(path) as scratch:
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
        scratch.write_text(text + "\n", encoding="utf-8")


def read_manifest(path: PathLike) -> dict[str, Any]:
    """What ``write_manifest`` wrote. Raises ``UserError`` if the file is missing or is not a manifest."""
    try:
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path}: no manifest there; finish the study first (snakemake without a target), or correct the path"
        ) from None
    except ValueError as error:
        raise UserError(f"{path}: not a manifest: {textwrap.shorten(str(error), 100)}; write it again") from None
    if not isinstance(manifest, dict) or not {"artefacts", "folders", "config"} <= manifest.keys():
        raise UserError(f"{path}: not a manifest of this workflow; give the manifest.json of a finished study")
    return manifest


@dataclass(frozen=True)
class Difference:
    """One file that differs from the manifest. ``rule`` makes it."""

    path: str
    kind: Literal["changed", "different", "missing", "additional"]
    """Changed: since the study was finished. Different: as the study made it. Missing and additional: in the study."""
    rule: str


@dataclass(frozen=True)
class Comparison:
    """The files of a study compared with a manifest: how many are equal, and which are not.

    ``different`` is in the order of the data flow: the inputs of the first one are all equal.
    ``measurements`` counts the files that show times or memory, if they were not compared.
    """

    equal: int
    different: tuple[Difference, ...]
    measurements: int


def compare(
    top: PathLike, own: Mapping[str, Any], reference: Mapping[str, Any], progress: OnRead | None = None
) -> Comparison:
    """Compare the files below ``top``, whose manifest is ``own``, with ``reference``, which may be the same object.

    The files are read again, so a change since ``own`` was written is found. Those that show times or memory are only
    compared with their own manifest, since they differ between rebuilds. Files below ``top`` that belong to
    neither manifest are ignored, except in folders that are artefacts: loading a model may read them.
    """
    top = Path(top)
    inside = {
        _relative(file, top): _entry_in(own["artefacts"], folder)
        for folder in own["folders"]
        for file in _files(top / folder)
    }
    entries = {**inside, **own["artefacts"], **reference["artefacts"]}
    measured = set()
    if own is not reference:
        measured = {
            path
            for manifest in (own, reference)
            for path, entry in manifest["artefacts"].items()
            if not entry["reproducible"]
        }
    equal, done, different = 0, 0, []
    for path in sorted(entries.keys() - measured, key=lambda path: (entries[path]["depth"], path)):
        kind: Literal["changed", "different", "missing", "additional"] | None = None
        if not (top / path).is_file():
            kind = "missing" if path in reference["artefacts"] else None
        elif path not in reference["artefacts"]:
            kind = "additional"
        else:
            digest, size = sha256(top / path)
            done += size
            if progress:
                progress(done)
            if digest != reference["artefacts"][path]["sha256"]:
                changed = path in own["artefacts"] and digest != own["artefacts"][path]["sha256"]
                kind = "changed" if changed else "different"
            else:
                equal += 1
        if kind:
            different.append(Difference(path, kind, entries[path]["rule"]))
    return Comparison(equal, tuple(different), len(measured))


def compare_settings(own: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """How two studies were made differently: one line each, with key path and both values."""
    # The others repeat the config, or are what is compared file by file.
    told = ("config", "source", "python", "packages", "machine", "hub")
    ours, theirs = (
        dict(_leaves({key: manifest[key] for key in told if key in manifest}, "")) for manifest in (own, reference)
    )
    return [
        f"{path}: {_show(ours.get(path))}, in the manifest {_show(theirs.get(path))}"
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    ]


def _entry_in(artefacts: Mapping[str, Any], folder: str) -> Any:
    return next(entry for path, entry in artefacts.items() if path.startswith(f"{folder}/"))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _show(value: Any) -> str:
    return textwrap.shorten(json.dumps(value, ensure_ascii=False), 80, placeholder=" ...")


def _relative(path: Path, top: PathLike) -> str:
    return path.relative_to(top).as_posix()


def _files(path: Path) -> list[Path]:
    """The file ``path``, or the files in the folder ``path``; nothing if it does not exist."""
    found = path.rglob("*") if path.is_dir() else [path]
    return sorted(file for file in found if file.is_file() and file.name != _TIMESTAMP)


def measured(benchmark: str | None) -> dict[str, float | None]:
    """Seconds and peak resident memory (MiB) of a job, from the table that Snakemake wrote, if it is complete."""
    text = Path(benchmark).read_text() if benchmark and Path(benchmark).is_file() else ""
    rows = [line.split("\t") for line in text.splitlines()[:2]]
    values = dict(zip(*rows, strict=True)) if len(rows) == 2 and len(rows[0]) == len(rows[1]) else {}
    return {"seconds": _number(values.get("s")), "peak_memory_mib": _number(values.get("max_rss"))}


def _number(text: str | None) -> float | None:
    """The number, or None if Snakemake writes NA or a dash."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _git_state(root: Path) -> dict[str, Any]:
    """Commit of the checkout, and the files that differ from it (``git status``; ignored ones do not count)."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(textwrap.shorten(done.stderr, 200) or f"git {arguments[0]} failed")
        return done.stdout

    try:
        # A copy may lie in the checkout of another project.
        git("ls-files", "--error-unmatch", "Snakefile")
        revision = git("rev-parse", "HEAD").strip()
        changed = [line[3:] for line in git("status", "--porcelain", "--", ".").splitlines()]
    except (OSError, UserError) as error:
        if commit := _installed_commit():
            return {"revision": commit, "dirty": False, "changed": []}
        return {"revision": None, "dirty": None, "reason": f"no git checkout: {error}"}
    return {"revision": revision, "dirty": bool(changed), "changed": changed}


def _installed_commit() -> str | None:
    """The commit from which pip has installed this package; None if it did so from elsewhere (PEP 610)."""
    if FROM_SOURCE:
        return None
    try:
        origin = importlib.metadata.distribution("lm-interpolation").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    return json.loads(origin).get("vcs_info", {}).get("commit_id") if origin else None


def _packages(lock: Path) -> dict[str, dict[str, str | None]]:
    """Each package of the lock file with its version there and the installed one (None if it is not)."""
    pins = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    found = {}
    for name, version in pins:
        try:
            installed: str | None = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = None
        found[name] = {"locked": version, "installed": installed}
    return found


def _machine(device: str) -> dict[str, Any]:
    """That of the job that writes the manifest."""
    machine = {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform()}
    if device == "cuda":
        machine |= _gpus()
    return machine


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*:\s*(.*)$", info.read_text(), re.MULTILINE) if info.is_file() else []
    return names[0] if names else platform.processor() or platform.machine()


def _gpus() -> dict[str, Any]:
    """Names of the GPUs that this job's machine shows, and the version of their driver."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    if not shutil.which(command[0]):
        return {"gpus": None, "reason": "no nvidia-smi where the manifest was written; the log of each job has its GPU"}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"gpus": None, "reason": textwrap.shorten(done.stdout + done.stderr, 200)}
    return {"gpus": done.stdout.splitlines()}


def _precision(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arithmetic of each kind of job. Weights are always stored and merged in fp32."""
    training = {name: model["training"]["precision"] for name, model in config["models"].items() if "training" in model}
    scoring = {name: scorer["precision"] for name, scorer in config["scorers"].items() if "precision" in scorer}
    return {
        "merging": "fp32",
        "training": training,
        "generation": config.get("generation", {}).get("precision"),
        "scoring": scoring,
        # Losses, probabilities of next tokens and linearity.
        "analyses": "fp32",
    }


def _seeds(value: Any, path: str) -> Iterator[tuple[str, int]]:
    """(key path, seed) of every key ``seed`` of the config."""
    for key, item in value.items() if isinstance(value, Mapping) else ():
        place = f"{path}.{key}" if path else key
        if key == "seed":
            yield place, item
        else:
            yield from _seeds(item, place)


def hub_commits(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The repositories on the hub that models and corpora come from, each with revision and commit."""
    path = config.get("hub_lock")
    lock = yaml.safe_load(Path(path).read_text(encoding="utf-8")) if path and Path(path).is_file() else None
    starts = [model["start"] for model in config["models"].values()]
    starts += [start["adapter"] for start in starts if "adapter" in start]
    used = [("model", start["hub"], start["revision"]) for start in starts if "hub" in start]
    corpora = [corpus for corpus in config["corpora"].values() if "revision" in corpus]
    used += [("dataset", corpus["id"], corpus["revision"]) for corpus in corpora]
    entries = []
    for kind, repository, revision in sorted(set(used)):
        locked = ((lock or {}).get(f"{kind}s") or {}).get(repository, {}).get(revision)
        commit = revision if _COMMIT.fullmatch(revision) else locked
        entry = {"kind": kind, "id": repository, "revision": revision, "commit": commit}
        entries.append(entry if commit else {**entry, "reason": "not in a lock file (key hub_lock)"})
    return entries
