"""The lines of a study, along which texts are scored, with their texts, scores and scoring jobs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.points.algebra import Line, Point, assign_lines, line_owner
from lm_interpolation.study.judged import judged_samples

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class Lines:
    """The lines of a study under each prompt set of its sweeps."""

    def __init__(self, study: "Study") -> None:
        self._study = study
        self.all: dict[tuple[str, str], Line] = {
            (line.prompts, line.id): line for line in assign_lines(study.sweeps.values())
        }
        """(prompt set, id) to line."""
        self._line_of: dict[tuple[str, str, Point], str] = {
            (line.space, line.prompts, point): line.id for line in self.all.values() for point in line.points
        }

    def names(self) -> list[str]:
        """Ids of all lines, each once: a sweep's lines have the same ids under each of its prompt sets."""
        return list(dict.fromkeys(line.id for line in self.all.values()))

    def points(self, prompts: str, line: str) -> list[str]:
        """Ids of the points of a line."""
        return [point.id for point in self.all[prompts, line].points]

    def texts(self, prompts: str, line: str) -> list[str]:
        """Text files of the points of a line, in the order of ``points``."""
        space = self.all[prompts, line].space
        return [self._study.path("texts", space, prompts, f"{point}.parquet") for point in self.points(prompts, line)]

    def inputs(self, prompts: str, line: str, scorer: str) -> dict[str, Any]:
        """Inputs of a scoring job: texts, and the prompts and the judge if the scorer needs them."""
        declared = self._study.scorers[scorer]
        inputs: dict[str, Any] = {"texts": self.texts(prompts, line)}
        if declared.READS_PROMPTS:
            inputs["prompts"] = self._study.path("prompts", f"{prompts}.parquet")
        if (judge := declared.judge()) is not None:
            inputs["model"] = self._study.path("models", judge)
        return inputs

    def settings(self, prompts: str, line: str, scorer: str) -> dict[str, Any]:
        """Settings of a scoring job: arguments of the scorer's script."""
        samples = judged_samples(self._study.declared, scorer, prompts)
        first = {} if samples is None else {"samples": samples}
        return {"points": self.points(prompts, line), **self._study.scorers[scorer].settings(), **first}

    def execution(self, scorer: str, threads: int) -> str:
        """How a scoring job runs: see ``Study.execution``."""
        declared = self._study.scorers[scorer]
        values = {"batch_size": self._study.batch_size("score")} if declared.IN_BATCHES else {}
        values |= declared.execution()
        return self._study.execution(threads if declared.COMPUTES else None, int(declared.uses_gpu()), **values)

    def scores(
        self, sweep: str, scorers: Sequence[str] | None = None, prompts: Sequence[str] | None = None
    ) -> list[str]:
        """Files with the scores of the points of a sweep, by default for all its scorers and prompt sets."""
        found = self._study.sweeps[sweep]
        files = {
            self._study.path("scores", name, self._line_of[found.space, name, entry.point], f"{scorer}.parquet")
            for name in (prompts or found.prompts)
            for entry in found.points
            for scorer in (scorers or self._study.declared.scorers_of(sweep))
        }
        return sorted(files)

    def spaces(self, scores: Iterable[str]) -> dict[str, str]:
        """Name to space of the sweeps that own these score files; a point may lie on the line of another sweep."""
        owners = {line_owner(Path(path).parent.name) for path in scores}
        return {owner: self._study.sweeps[owner].space for owner in sorted(owners)}
