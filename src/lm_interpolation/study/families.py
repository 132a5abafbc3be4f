"""Families: models that are declared once, with ``replicates``, and trained once for each of these seeds.

A family stands in a file only. Before anything else is checked, it becomes its members ``<family>.s<seed>``, which are
models like others; sets, means and targets of families name the members instead; and a sweep that combines families
becomes one sweep ``<sweep>.s<seed>`` for each seed. So does an analysis or a claim that names such a sweep, or such an
analysis: what is checked, planned and computed is always an entry of one training. ``repeated`` says which belong
together. Mistakes of members are shown as those of what was written.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lm_interpolation.study.kinds.base import MEMBER, Declaration, Repeated
from lm_interpolation.study.kinds.catalog import AnyAnalysis, AnyClaim
from lm_interpolation.study.kinds.sweeps import SweepSpec
from lm_interpolation.study.references import Path, Reference, references_of

TYPES: Mapping[str, Any] = {"sweeps": SweepSpec, "analyses": AnyAnalysis, "claims": AnyClaim}
"""Section to the type of its entries, for those whose entries become several."""


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
    names: dict[str, set[str]] = field(default_factory=lambda: {"models": set(), **{name: set() for name in TYPES}})
    """Section to the names of its entries that became several."""
    repeated: dict[str, dict[str, Repeated]] = field(default_factory=lambda: {name: {} for name in TYPES})
    """Section to its entries that became several."""

    def written(self, path: Path) -> Path:
        """The key path in the file of a key path in ``config``."""
        found = MEMBER.fullmatch(path[1]) if len(path) > 1 else None
        if found is None or found[1] not in self.names.get(path[0], ()):
            return path
        return (path[0], found[1], *path[2:])

    def in_words(self, line: str) -> str:
        """A line about ``config`` as a line about the file, the same for all members."""
        for found in re.finditer(r"(?<![\w.-])([a-z]+)\.([A-Za-z][A-Za-z0-9_.-]*?\.s\d+)(?=[.:; ]|$)", line):
            path = (found[1], found[2])
            if (written := self.written(path)) != path:
                # What a member names became members of the same seed.
                ending = re.escape(found[2].removeprefix(written[1]))
                others = "|".join(re.escape(name) for names in self.names.values() for name in names)
                return re.sub(rf"(?<![\w-])({others}){ending}(?![\w-])", r"\1", line)
        return line


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
    for section in ("analyses", "claims"):
        if found.repeated["sweeps"] and isinstance(config.get(section), Mapping):
            _follow(section, found)
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
        common = _common_seeds(f"sweeps.{name}: families pair", {one: seeds[one] for one in families}, found)
        yield from _members("sweeps", name, sweeps, common, found, partial(_of_seed, spec, seeds))


def _members(
    section: str,
    name: str,
    entries: Mapping[str, Any],
    seeds: Iterable[int],
    found: Families,
    of_seed: Callable[[int], Any],
) -> Iterator[tuple[str, Any]]:
    """The members, ``of_seed`` each, of one of the ``entries`` of a section, which is noted as repeated."""
    members = {seed: member(name, seed) for seed in seeds}
    for other in entries:
        if (one := MEMBER.fullmatch(str(other))) is not None and one[1] == name:
            found.lines.append(
                f"config: {section}.{name}: {other} would be one of its replicates; rename one of the two"
            )
    found.names[section].add(name)
    found.repeated[section][name] = Repeated(_declared(section, entries[name]), members)
    yield from ((one, of_seed(seed)) for seed, one in members.items())


def _declared(section: str, spec: Any) -> Declaration | None:
    """An entry of a section by itself; None if it is invalid, which is reported elsewhere."""
    try:
        declared: Declaration = _type(section).validate_python(spec)
    except ValidationError:
        return None
    return declared


@cache
def _type(section: str) -> TypeAdapter[Any]:
    return TypeAdapter(TYPES[section])


def _follow(section: str, found: Families) -> None:
    """Put members in place of the entries of a section that name what is repeated."""
    entries: Mapping[Any, Any] = found.config[section]
    done: dict[Any, dict[Any, Any]] = {}

    def follow(name: Any) -> None:
        done[name] = {name: entries[name]}
        declared = _declared(section, entries[name])
        named = [] if declared is None else list(references_of(declared, ()))
        # An analysis may name one that is declared after it.
        for one in named:
            if one.section == (section,) and one.name in entries and one.name not in done:
                follow(one.name)
        if named := [one for one in named if _is_repeated(one, found)]:
            pairs = {one.name: list(found.repeated[one.section[0]][one.name].members) for one in named}
            common = _common_seeds(f"{section}.{name}: what it names pairs", pairs, found)
            done[name] = dict(_members(section, name, entries, common, found, partial(_named, entries[name], named)))

    for name in entries:
        if name not in done:
            follow(name)
    found.config[section] = {one: spec for name in entries for one, spec in done[name].items()}


def _common_seeds(what: str, pairs: Mapping[str, list[int]], found: Families) -> list[int]:
    """The seeds that all of ``pairs`` (name to seeds) have; a line says if they differ."""
    first, *others = pairs
    for other in others:
        if sorted(pairs[other]) != sorted(pairs[first]):
            found.lines.append(
                f"config: {what} by seed, but {first} has replicates {pairs[first]} and {other} has {pairs[other]}; "
                "give them the same"
            )
    # Where they differ, one line is enough.
    return [seed for seed in pairs[first] if all(seed in pairs[other] for other in others)]


def _is_repeated(reference: Reference, found: Families) -> bool:
    """Whether a reference names a repeated entry, and not a part of one: parts have one name in all members."""
    return len(reference.section) == 1 and reference.name in found.repeated.get(reference.section[0], {})


def _named(spec: Any, references: Iterable[Reference], seed: int) -> Any:
    """``spec`` with the members of one seed in place of what it names that is repeated."""
    for reference in references:
        spec = _replaced(spec, reference.path, reference.name, member(reference.name, seed))
    return spec


def _replaced(value: Any, path: Path, name: str, by: str) -> Any:
    """``value`` with ``by`` in place of ``name``, which stands at a key path, or in a list there."""
    if isinstance(value, Mapping):
        return {key: _replaced(item, path[1:], name, by) if key == path[0] else item for key, item in value.items()}
    if isinstance(value, list) and path:
        return [_replaced(item, path[1:], name, by) if str(n) == path[0] else item for n, item in enumerate(value)]
    if isinstance(value, list):
        return [by if item == name else item for item in value]
    return by


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
