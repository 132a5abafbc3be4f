"""Families: models that are declared once, with ``replicates``, and trained once for each of these seeds.

A family stands in a file only. Before anything else is checked, it becomes its members ``<family>.s<seed>``, which are
models like others; sets, means and targets of families name the members instead; and a sweep that combines families
becomes one sweep ``<sweep>.s<seed>`` for each seed. Mistakes of members are shown as those of what was written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lm_interpolation.study.kinds.base import MEMBER

Path = tuple[str, ...]


def member(name: str, seed: int) -> str:
    """The name of the replicate with this seed of a family, or of a sweep of families."""
    return f"{name}.s{seed}"


@dataclass
class Families:
    """What became of the families of a configuration."""

    config: dict[str, Any]
    """The configuration with members in place of families."""
    lines: list[str] = field(default_factory=list)
    """Mistakes in families, one line each."""
    names: dict[str, set[str]] = field(default_factory=lambda: {"models": set(), "sweeps": set()})
    """Section to the names of its entries that became several."""

    def written(self, path: Path) -> Path:
        """The key path in the file of a key path in ``config``."""
        found = MEMBER.fullmatch(path[1]) if len(path) > 1 else None
        if found is None or found[1] not in self.names.get(path[0], ()):
            return path
        return (path[0], found[1], *path[2:])

    def in_words(self, line: str) -> str:
        """A line about ``config`` as a line about the file, the same for all members."""
        found = re.match(r"(config: )?([a-z]+)\.([A-Za-z][A-Za-z0-9_.-]*?\.s\d+)(?=[.: ]|$)", line)
        if found is None:
            return line
        return f"{found[1] or ''}{'.'.join(self.written((found[2], found[3])))}{line[found.end() :]}"


def expand(config: Mapping[str, Any]) -> Families:
    """``config``, whose values may be of any type, with members in place of its families."""
    found = Families(dict(config))
    models = config.get("models")
    if not isinstance(models, Mapping):
        return found
    seeds: dict[str, list[int]] = {}
    members: dict[str, Any] = {}
    for name, spec in models.items():
        if MEMBER.fullmatch(str(name)):
            found.lines.append(
                f"config: models.{name}: names that end in .s and digits are those of replicates; rename it"
            )
        own = _seeds(spec)
        if own is None:
            members[name] = spec
            continue
        found.lines += [f"config: models.{name}{line}" for line in _problems(spec)]
        seeds[name] = own
        rest = {key: value for key, value in spec.items() if key != "replicates"}
        for seed in own:
            members[member(name, seed)] = {**rest, "training": {**spec["training"], "seed": seed}}
    if not seeds:
        return found
    found.names["models"] |= set(seeds)
    found.config["models"] = {name: _with_members_in_start(spec, seeds) for name, spec in members.items()}
    if isinstance(sets := config.get("sets"), Mapping):
        found.config["sets"] = {name: _with_members(spec, "models", seeds) for name, spec in sets.items()}
    for section in ("claims", "figures"):
        if isinstance(entries := config.get(section), Mapping):
            found.config[section] = {name: _with_members_in_targets(spec, seeds) for name, spec in entries.items()}
    if isinstance(sweeps := config.get("sweeps"), Mapping):
        found.config["sweeps"] = dict(_sweeps(sweeps, seeds, found))
    return found


def _seeds(spec: Any) -> list[int] | None:
    """The seeds of a family; None for other models, and where they are invalid, which is reported elsewhere."""
    if not isinstance(spec, Mapping) or not isinstance(spec.get("training"), Mapping):
        return None
    seeds = spec.get("replicates")
    if not isinstance(seeds, list) or not seeds or len(set(map(str, seeds))) < len(seeds):
        return None
    return seeds if all(type(seed) is int and seed >= 0 for seed in seeds) else None


def _problems(spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("task") == "classifier":
        yield ".replicates: only language models have replicates; declare a classifier for each seed"
    if "seed" in spec["training"]:
        yield ".training.seed: the seeds are those of replicates; remove it"


def _with_members_in_start(spec: Any, seeds: Mapping[str, list[int]]) -> Any:
    if not isinstance(spec, Mapping) or not isinstance(start := spec.get("start"), Mapping):
        return spec
    for key in ("mean", "greedy"):
        start = _with_members(start, key, seeds)
    return {**spec, "start": start}


def _with_members(spec: Any, key: str, seeds: Mapping[str, list[int]]) -> Any:
    """``spec`` with members in place of the families in the list at ``key``."""
    if not isinstance(spec, Mapping) or not isinstance(names := spec.get(key), list):
        return spec
    found = [[member(name, seed) for seed in seeds[name]] if _is_in(name, seeds) else [name] for name in names]
    return {**spec, key: [name for part in found for name in part]}


def _with_members_in_targets(spec: Any, seeds: Mapping[str, list[int]]) -> Any:
    """A claim, a figure or one of its panels with members in place of the families of its ``targets``."""
    if not isinstance(spec, Mapping):
        return spec
    changed = dict(spec)
    if isinstance(targets := spec.get("targets"), Mapping):
        changed["targets"] = {
            name: _with_members(_with_members(target, "centroid", seeds), "base", seeds)
            for name, target in targets.items()
        }
    if isinstance(panels := spec.get("panels"), list):
        changed["panels"] = [_with_members_in_targets(panel, seeds) for panel in panels]
    return changed


def _is_in(name: Any, seeds: Mapping[str, Any]) -> bool:
    return isinstance(name, str) and name in seeds


def _sweeps(
    sweeps: Mapping[str, Any], seeds: Mapping[str, list[int]], found: Families
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sweeps, with one for each seed in place of each that combines families."""
    for name, spec in sweeps.items():
        families = [model for model in _combined(spec) if _is_in(model, seeds)]
        if not families:
            yield name, spec
            continue
        first, *others = dict.fromkeys(families)
        found.names["sweeps"].add(name)
        for other in others:
            if sorted(seeds[other]) != sorted(seeds[first]):
                found.lines.append(
                    f"config: sweeps.{name}: families pair by seed, but {first} has replicates {seeds[first]} and "
                    f"{other} has {seeds[other]}; give them the same"
                )
        # Where they differ, one line is enough.
        for seed in [seed for seed in seeds[first] if all(seed in seeds[other] for other in others)]:
            one = member(name, seed)
            if one in sweeps:
                found.lines.append(f"config: sweeps.{one}: sweep {name} of families has this name; rename it")
            yield one, _of_seed(spec, seeds, seed)


def _combined(spec: Any) -> Iterable[Any]:
    """The names of the models in a sweep."""
    directions = spec.get("directions") if isinstance(spec, Mapping) else None
    parts = [spec.get("origin"), *directions.values()] if isinstance(directions, Mapping) else []
    return [model for part in parts if isinstance(part, Mapping) for model in part]


def _of_seed(spec: Mapping[str, Any], seeds: Mapping[str, list[int]], seed: int) -> dict[str, Any]:
    """A sweep of families with their members of one seed."""

    def paired(part: Any) -> Any:
        if not isinstance(part, Mapping):
            return part
        return {member(model, seed) if _is_in(model, seeds) else model: value for model, value in part.items()}

    own = {**spec, "origin": paired(spec.get("origin"))}
    own["directions"] = {coordinate: paired(part) for coordinate, part in spec["directions"].items()}
    if isinstance(label := spec.get("label"), str):
        own["label"] = f"{label}, seed {seed}"
    return own
