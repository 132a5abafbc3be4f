"""The files that can be requested from a study, and what people read about them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from snakemake.exceptions import WorkflowError

from lm_interpolation.study.explorer import pages

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class Targets:
    """The files of a study that can be requested."""

    def __init__(self, study: "Study") -> None:
        self._study = study
        self._path = study.path

    def sweep_tables(self) -> list[str]:
        """One table per sweep that generates texts."""
        return [self._study.table(sweep) for sweep in self._study.scored_sweeps()]

    def tables(self) -> list[str]:
        """All tables: of sweeps, analyses and searches."""
        names = [*self._study.table_of_analysis, *self._study.searches.trials]
        return self.sweep_tables() + [self._study.table(name) for name in names]

    def measurements(self) -> list[str]:
        """Results that contain times or memory: they and everything made from them differ between rebuilds."""
        analyses = self._study.declared.analyses
        timed = [table for table, (name, _) in self._study.table_of_analysis.items() if analyses[name].MEASURES_TIME]
        return [*map(self._study.table, timed), self._path("summary.txt")]

    def figure(self, name: str) -> list[str]:
        """A figure as PNG and PDF, and the text beside it."""
        return [self._path("figures", f"{name}.{suffix}") for suffix in ("png", "pdf", "md")]

    def figures(self) -> list[str]:
        """Files of all figures."""
        return [path for name in self._study.config["figures"] for path in self.figure(name)]

    def claims(self) -> list[str]:
        """The verdicts, for people and for programs; nothing if the study makes no claims."""
        return [self._path("claims.md"), self._path("claims.json")] if self._study.config["claims"] else []

    def explorer(self) -> list[str]:
        """The page for exploring texts and scores; nothing if the study generates no texts."""
        return [self._path("explorer.html")] if self._study.scored_sweeps() else []

    def pages(self) -> list[str]:
        """The parts of the report other than tables, figures and verdicts: the texts beside tables, and HTML pages."""
        tables = [str(Path(table).with_suffix(suffix)) for table in self.tables() for suffix in (".html", ".md")]
        return [*tables, *([self._path("claims.html")] if self.claims() else []), self._path("overview.md")]

    def results(self) -> list[str]:
        """The files that complete the study."""
        config = self._study.config
        # A study that stops early ends with its models.
        models = [] if config["sweeps"] or config["analyses"] else config["models"]
        pages = [*self.explorer(), *self.pages(), *self._study.models.exams()]
        pages += [self._path("models", name) for name in models]
        return [self._path("summary.txt"), *self.tables(), *self.figures(), *self.claims(), *pages]

    def quick(self) -> list[str]:
        """Files of the figures in the study's quick part, and the page for exploring their sweeps.

        Raises ``WorkflowError`` if it names none.
        """
        if not self._study.config["quick"]:
            raise WorkflowError("the study has no quick part; list the figures of one under its key quick")
        figures = [path for name in self._study.config["quick"] for path in self.figure(name)]
        return figures + [self._path("explorer-quick.html")] * bool(pages(self._study)["explorer-quick"])

    def progress(self) -> str:
        """A note for people on what is ready, and how to get the rest."""
        config = self._study.config
        drawn = [name for name in config["figures"] if all(map(os.path.exists, self.figure(name)))]
        missing = [name for name in config["figures"] if name not in drawn]
        lines = [f"Figures in {self._path('figures')}: {', '.join(drawn)}"] if drawn else []
        explorers = [self._path(f"{name}.html") for name in pages(self._study)]
        explorers = [path for path in explorers if Path(path).exists()]
        lines += [f"To read texts and scores point by point, open in a browser: {path}" for path in explorers[:1]]
        verdicts = ["the verdicts on the claims"] if config["claims"] else []
        explorer = ["the explorer of all sweeps"] if self.explorer() and self.explorer() != explorers[:1] else []
        rest = ", ".join([*missing, *verdicts, *explorer, "a summary"])
        return "\n".join([*lines, f"Not built yet: {rest}. All of it: the same command without a target (make all)"])

    def refuse(self, path: str) -> NoReturn:
        """Raise ``WorkflowError``, which says why something that is left out cannot be built."""
        reason = self._study.left_out[path]
        raise WorkflowError(f"{path} cannot be built: {reason}; declare what is missing in the study")
