"""What claims on losses have in common: which analyses they read, and on which texts these rest."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from lm_interpolation.points.algebra import decimal, grid_values
from lm_interpolation.study.kinds.analyses.corpus_losses import CorpusLosses
from lm_interpolation.study.kinds.analyses.loss import Loss
from lm_interpolation.study.kinds.base import Name, Number, Problem, Ref, plain, undeclared

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

LossName = Annotated[Name, Ref("analyses", kind="loss")]
LineLossName = Annotated[Name, Ref("analyses", kind="loss", along=1)]
"""A loss analysis along a sweep of one direction."""
OURS = "Methods"
"""Section of claims that are not the paper's."""


def loss_of(config: "StudyConfig", name: str) -> Loss:
    """The loss analysis of this name."""
    found = config.analyses[name]
    assert isinstance(found, Loss)
    return found


def check_same_texts(config: "StudyConfig", one: str, other: str, key: str) -> Iterator[Problem]:
    """Two analyses of losses must be of the same texts, so that their losses are compared text by text."""
    first, second = config.analyses[one], config.analyses[other]
    assert isinstance(first, CorpusLosses) and isinstance(second, CorpusLosses)
    if first.held_out(config) != second.held_out(config) or first.too_long != second.too_long:
        yield key, f"{other!r} is of other texts than {one!r}; give both the same corpus, split, classes and limit"


def check_class(config: "StudyConfig", name: str, class_name: str | None, key: str) -> Iterator[Problem]:
    """The loss analysis must have this class, if one is given."""
    classes = loss_of(config, name).classes or []
    if class_name is not None and class_name not in classes:
        yield key, undeclared("class", class_name, classes)


def check_at(config: "StudyConfig", sweep: str, at: Mapping[str, Number], key: str) -> Iterator[Problem]:
    """The sweep must have a point with these coordinates."""
    spec = config.sweeps[sweep]
    coordinates = list(spec.grid)
    if set(at) != set(coordinates):
        yield key, f"has {sorted(at)}, but the coordinates of {sweep!r} are {sorted(coordinates)}; name the same"
        return
    wanted = {name: decimal(value) for name, value in at.items()}
    on_grid = all(value in grid_values(plain(spec.grid[name])) for name, value in wanted.items())
    anchors = ({name: decimal(value) for name, value in anchor.items()} for anchor in spec.anchors)
    if not on_grid and wanted not in list(anchors):
        yield key, f"is no point of sweep {sweep!r}; add it to the grid or to the anchors"


def at_words(at: Mapping[str, Number]) -> str:
    """``gamma = 1, density = 0.2``."""
    return ", ".join(f"{name} = {value:g}" for name, value in at.items())
