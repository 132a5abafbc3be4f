"""References between parts of a study: whether their targets exist and fit, and what is left out if not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args, get_origin

from lm_interpolation.study.kinds.base import (
    MEMBER,
    TASKS,
    Declaration,
    Either,
    Parts,
    Ref,
    close_to,
    undeclared,
    unmarked,
)
from lm_interpolation.study.kinds.study_config import StudyConfig

Path = tuple[str, ...]
"""A key path. An item of a list has its number, or itself if it is a name."""

NOUNS = {
    "corpora": "corpus",
    "prompts": "prompt set",
    "tokenizers": "tokenizer",
    "models": "model",
    "experts": "expert",
    "statistics": "statistic",
    "methods": "method",
    "sets": "set",
    "scorers": "scorer",
    "sweeps": "sweep",
    "analyses": "analysis",
    "searches": "search",
    "figures": "figure",
    "pairs": "pair",
    "classes": "class",
    "words": "group",
    "by": "label",
}
"""Section, or key of an entry, to how its entries are called."""

ENTRIES = (*(name for name in NOUNS if name in StudyConfig.model_fields), "claims")
"""Sections whose keys are names of entries."""
WITHOUT_MODELS = ("experts", "methods", "sweeps", "analyses", "searches", "figures")
"""Sections whose entries are left out, whoever wrote them, if the study does not declare a model that they need."""


class Part(NamedTuple):
    """An item of a list or mapping that may be left out by itself: its key path, and the key paths of all items."""

    path: Path
    all: tuple[Path, ...]
    may_be_empty: bool


@dataclass(frozen=True)
class Reference:
    """One ``name`` that refers to an entry of ``section``, or to a part of one (``analyses``, its name, ``pairs``).

    ``path`` is its place, without the index in a list of names; ``parts`` are the enclosing parts that may be left out
    by themselves, the outermost first.
    """

    path: Path
    ref: Ref
    section: Path
    name: str
    parts: tuple[Part, ...]

    @property
    def target(self) -> Path:
        """Key path of the target."""
        return (*self.section, self.name)

    @property
    def noun(self) -> str:
        """What the target is called."""
        return NOUNS[self.section[-1]]


def references(config: StudyConfig) -> list[Reference]:
    """All references of a study, in the order of its sections; one to each member of what is repeated."""
    return [one for found in references_of(config, ()) for one in _spread(_instead(found, config), config)]


def _instead(reference: Reference, config: StudyConfig) -> Reference:
    section = reference.ref.instead
    own = config.section(reference.section[0])
    if section is None or reference.name in own or reference.name not in config.section(section):
        return reference
    return replace(reference, ref=Ref(section), section=(section,))


def _spread(reference: Reference, config: StudyConfig) -> list[Reference]:
    found = config.repeated(reference.section[0]).get(reference.name) if reference.ref.repeated else None
    return [reference] if found is None else [replace(reference, name=name) for name in found.members.values()]


def references_of(declaration: Declaration, path: Path, parts: tuple[Part, ...] = ()) -> Iterator[Reference]:
    """The references in a declaration that stands at a key path, within these ``parts``."""
    for name, field in type(declaration).model_fields.items():
        value = getattr(declaration, name)
        if value is not None:
            marks = [mark for mark in field.metadata if isinstance(mark, Ref | Parts | Either)]
            yield from _of_value(value, field.annotation, marks, (*path, field.alias or name), parts, declaration)


def _of_value(
    value: Any,
    annotation: Any,
    marks: Sequence[Ref | Parts | Either],
    path: Path,
    parts: tuple[Part, ...],
    owner: Declaration,
) -> Iterator[Reference]:
    """The references in ``value``, the value of a key of ``owner`` with the type ``annotation`` and ``marks``."""
    annotation, found = unmarked(annotation)
    marks = [*marks, *(mark for mark in found if isinstance(mark, Ref | Parts | Either))]
    either = next((mark for mark in marks if isinstance(mark, Either)), None)
    if isinstance(value, Declaration):
        yield from references_of(value, path, parts)
    elif either is not None:
        others = [mark for mark in marks if mark is not either]
        yield from _of_value(value, either.type_of(value), others, path, parts, owner)
    elif isinstance(value, str):
        for ref in (mark for mark in marks if isinstance(mark, Ref)):
            yield from _named(value, ref, path, parts, owner)
    elif isinstance(value, list | Mapping) and get_origin(annotation) in (list, dict):
        types = get_args(annotation)
        keys = list(value) if isinstance(value, Mapping) else [_key(item, n) for n, item in enumerate(value)]
        droppable = next((mark for mark in marks if isinstance(mark, Parts)), None)
        for key, item in zip(keys, value.values() if isinstance(value, Mapping) else value, strict=True):
            inner = parts
            if droppable:
                inner = (*parts, Part((*path, key), tuple((*path, key) for key in keys), droppable.may_be_empty))
            if isinstance(value, Mapping):
                yield from _of_value(key, types[0], (), path, inner, owner)
            yield from _of_value(item, types[-1], (), path if isinstance(item, str) else (*path, key), inner, owner)


def _key(item: Any, number: int) -> str:
    return item if isinstance(item, str) else str(number)


def _named(name: str, ref: Ref, path: Path, parts: tuple[Part, ...], owner: Declaration) -> Iterator[Reference]:
    steps = ref.section.split(".")
    section = tuple(getattr(owner, step.strip("{}")) if step.startswith("{") else step for step in steps)
    if name in ref.besides:
        return
    # None if the key that says which entry the name belongs to is absent.
    if None not in section:
        yield Reference(path, ref, section, name, parts)


class Named:
    """The entries that a study names; a reference to anything else has no target."""

    def __init__(self, config: StudyConfig, broken: Mapping[str, Sequence[str]]) -> None:
        """``broken`` are further entries, by section, that are written but invalid and therefore not in ``config``."""
        self._config, self._broken = config, broken

    def names(self, section: Path) -> list[str] | None:
        """Names of the entries of a section, or of the parts of an entry; None if the entry does not exist."""
        entries = self._config.section(section[0])
        if len(section) == 1:
            return [*entries, *self._broken.get(section[0], ())]
        name, key = section[1:]
        return list(getattr(entries[name], key, None) or []) if name in entries else None

    def instead(self, reference: Reference) -> list[str]:
        """Names that the reference may have besides those of its section."""
        return [] if reference.ref.instead is None else self.names((reference.ref.instead,)) or []

    def replicates(self, reference: Reference) -> list[str]:
        """The models, sweeps or analyses, one for each seed, that a reference names together, if it does."""
        names = self.names(reference.section) or []
        if reference.section not in (("models",), ("sweeps",), ("analyses",)) or reference.name in names:
            return []
        return [name for name in names if (one := MEMBER.fullmatch(name)) and one[1] == reference.name]

    def problem(self, reference: Reference, gone: Mapping[Path, str]) -> str | None:
        """Why a reference is invalid when ``gone`` is left out; None if it is valid."""
        if reference.target in gone:
            what, why = ".".join(reference.target), gone[reference.target]
            return f"{what} is left out ({why}); refer to another {reference.noun}"
        names = self.names(reference.section)
        if names is None:
            return None
        if members := self.replicates(reference):
            several = f"one {reference.noun} for each seed"
            what = "a family of replicates" if reference.section == ("models",) else several
            return f"{reference.name!r} is {what}; write one of {', '.join(members)}"
        if reference.name not in names:
            return undeclared(reference.noun, reference.name, [*names, *self.instead(reference)])
        if len(reference.section) > 1 or reference.name in self._broken.get(reference.section[0], ()):
            return None
        return next(_misfits(self._config, reference.section[0], reference.name, reference.ref), None)


def _misfits(config: StudyConfig, section: str, name: str, ref: Ref) -> Iterator[str]:
    """The requirements that the target of a reference does not meet."""
    entry = config.section(section)[name]
    if ref.tasks and entry.task not in ref.tasks:
        yield f"{name!r} is {TASKS[entry.task]}; choose {' or '.join(TASKS[task] for task in ref.tasks)}"
    if ref.trained and entry.data is None:
        yield f"{name!r} is not trained here; choose one that is"
    if ref.kind and entry.kind != ref.kind:
        yield f"{name!r} is of kind {entry.kind}; choose one of kind {ref.kind}"
    if ref.stored and entry.is_stream():
        yield f"{name!r} is a stream; choose a corpus that is stored"
    if ref.directions:
        yield from _wrong_directions(config, name, ref.directions)
    if ref.texts and not entry.prompts:
        yield f"sweep {name!r} has no prompts, so there are no texts to score; give it some"
    if ref.space and entry.space != ref.space:
        yield f"{name!r} is in the space of {entry.space}; choose a sweep in that of {ref.space}"
    if ref.barrier and entry.barrier_statistic() is None:
        yield f"{name!r} has no perplexity, whose logarithm could have a barrier; choose a scorer that has one"
    if ref.along and entry.sweep in config.sweeps:
        yield from _wrong_directions(config, entry.sweep, ref.along)


def _wrong_directions(config: StudyConfig, sweep: str, wanted: int) -> Iterator[str]:
    # Those of its method's settings count, too.
    count = len(config.sweeps[sweep].grid)
    if count != wanted:
        needed = "one direction" if wanted == 1 else f"{wanted} directions"
        yield f"{sweep!r} has {count} directions; choose a sweep of {needed}"


def _lost(path: Path, gone: Mapping[Path, str]) -> bool:
    return any(path[:length] in gone for length in range(1, len(path) + 1))


def is_gone(reference: Reference, gone: Mapping[Path, str]) -> bool:
    """Whether a reference lies in a part that is left out."""
    return _lost(reference.path, gone) or any(part.path in gone for part in reference.parts)


def leave_out(
    found: Sequence[Reference],
    named: Named,
    config: StudyConfig,
    inherited: Callable[[Path], bool] | None,
    before: Mapping[Path, str],
) -> dict[Path, str]:
    """Key paths of the parts to leave out, each with the reason.

    In a study that extends another file these are all ``inherited`` parts that refer to something left out or not
    declared, and items of lists that refer to something left out. A study that extends none (``inherited`` is None) may
    lack models: sweeps that need a model that is not declared, and everything that depends on them, are left out,
    unless the name resembles a declared one. ``before`` is left out already.
    """
    gone = dict(before)

    def reason(reference: Reference) -> str | None:
        own = inherited is not None and not inherited(reference.path)
        if _lost(reference.target, gone) and (reference.parts or not own):
            return f"{'.'.join(reference.target)} is left out"
        if own:
            return None
        prompts = (
            config.sweeps[reference.name].prompts if reference.ref.texts and reference.name in config.sweeps else []
        )
        if prompts and all(("sweeps", reference.name, "prompts", name) in gone for name in prompts):
            return f"no prompts are left of sweep {reference.name!r}"
        names = named.names(reference.section)
        if names is None or reference.name in names or named.replicates(reference):
            return None
        lacking_model = reference.section == ("models",) and reference.path[0] in WITHOUT_MODELS
        if inherited is None and (not lacking_model or close_to(reference.name, [*names, *named.instead(reference)])):
            return None
        return f"the study declares no {reference.noun} {reference.name!r}"

    def drop(reference: Reference, why: str) -> None:
        if not reference.parts:
            gone[reference.path[:2]] = why
            return
        part = reference.parts[-1]
        gone[part.path] = why
        if not part.may_be_empty and all(path in gone for path in part.all):
            gone[part.path[:2]] = f"nothing is left of its {part.path[-2]}"

    # A setting of a section without entries cannot be left out.
    candidates = [one for one in found if one.parts or one.path[0] in ENTRIES]
    changed = True
    while changed:
        changed = False
        for reference in candidates:
            if not is_gone(reference, gone) and (why := reason(reference)):
                drop(reference, why)
                changed = True
    return gone


def without(config: Mapping[str, Any], gone: Iterable[Path]) -> dict[str, Any]:
    """A copy of ``config``, as mappings and lists, without the values at some key paths."""
    gone = set(gone)

    def kept(value: Any, path: Path) -> Any:
        if isinstance(value, Mapping):
            return {key: kept(item, (*path, key)) for key, item in value.items() if (*path, key) not in gone}
        if isinstance(value, list):
            items = [((*path, _key(item, number)), item) for number, item in enumerate(value)]
            return [kept(item, place) for place, item in items if place not in gone]
        return value

    return {key: kept(value, (key,)) for key, value in config.items()}
