"""A study as the Snakefile sees it: its paths and names, and the inputs and settings of jobs.

Only the plan of a study, this module and its neighbours, turns the configuration into jobs; the rules only name stages
and resources. Parts of the plan have modules of their own: ``data``, ``models``, ``searches``, ``lines``, ``targets``.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lm_interpolation.jobs.records import top_of
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.points.algebra import Method, Point, Sweep, method_settings, sweep_settings
from lm_interpolation.points.statistic_folders import FOLDER, statistic_files, with_statistics
from lm_interpolation.study.config import declare
from lm_interpolation.study.data import Data
from lm_interpolation.study.downloads import make_data
from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.lines import Lines
from lm_interpolation.study.local_models import check_files, check_sweep_models
from lm_interpolation.study.model_statistics import ModelStatistics
from lm_interpolation.study.models import Models
from lm_interpolation.study.names import check_file_names
from lm_interpolation.study.scorers import judge_entries, metrics_file, statistics_settings
from lm_interpolation.study.searches import Searches
from lm_interpolation.study.settings import job_settings
from lm_interpolation.study.targets import Targets

_NAMES_IN_FIGURES = ("label", "coordinate_labels")


class Study:
    """The study that ``config`` declares. Raises ``UserError`` if the config does not hold.

    Paths are relative to the working directory and contain Snakemake's wildcards in braces. ``files`` are those that
    the config was read from, for messages; none for the embedded study.
    """

    def __init__(self, config: Mapping[str, Any], files: Sequence[str | os.PathLike[str]] = ()) -> None:
        self.declared, self.config, self.left_out = declare(config)
        self.sweeps: dict[str, Sweep] = self.declared.built_sweeps()
        check_files(self.declared, make_data(files))
        self.notes = check_sweep_models(self.declared, self.sweeps)
        self.name: str = self.config["study"]
        self.top = top_of(self.name)
        self.gpu = 1 if self.config["device"] == "cuda" else 0
        self.data = Data(self)
        self.models = Models(self)
        self.model_statistics = ModelStatistics(self)
        self.searches = Searches(self)
        self.lines = Lines(self)
        self.targets = Targets(self)
        self.corpora = self.declared.corpora
        self.prompts = self.declared.prompts
        self.scorers = self.declared.scorers
        self.table_of_analysis: dict[str, tuple[str, str]] = {
            f"{name}{suffix}": (name, suffix)
            for name, analysis in self.declared.analyses.items()
            for suffix in analysis.table_suffixes()
        }
        """Table to the analysis that writes it, and what its name has behind that of the analysis."""
        merged = {name: analysis.merged_points(self) for name, analysis in self.declared.analyses.items()}
        check_file_names(self.lines.all.values(), merged, self.searches.trials)

    def path(self, *parts: str) -> str:
        """A path below the study's results folder."""
        return "/".join((self.top, *parts))

    def table(self, name: str) -> str:
        """Path of a table."""
        return self.path("tables", f"{name}.csv")

    def log(self, *parts: str) -> str:
        """Path of a log file."""
        return self.path("logs", *parts) + ".log"

    def benchmark(self, *parts: str) -> str:
        """Path of a benchmark file: seconds and peak memory of a job, as Snakemake measures them."""
        return self.path("benchmarks", *parts) + ".tsv"

    # What every job depends on besides its data.

    def settings(self, script: str, **arguments: Any) -> str:
        """All that the result of a job depends on, as one JSON text (see ``job_settings``).

        ``arguments`` are those of the script's ``main``. It is one text because Snakemake compares parameters as an
        unnamed set of values, so it would not notice if two were swapped. Editing a source file or upgrading a pinned
        package reruns the jobs that use it.
        """
        return job_settings(script, arguments)

    def execution(self, threads: int | None = None, processes: int = 1, **values: Any) -> str:
        """How a job runs, as one JSON text with the positional arguments of its ``main``. No result depends on it.

        With ``threads``, for a job that computes, it contains ``device``, ``threads`` and ``gpus``, the number of GPUs
        that the job leases: on cuda one for each of ``processes``.

        Pass it as the parameter ``execution``, by a function of ``wildcards`` and ``threads``: Snakemake does not
        compare parameters derived from threads, so a change reruns nothing.
        """
        computes = {"device": self.config["device"], "threads": threads, "gpus": self.gpu * processes}
        return to_text({**(computes if threads is not None else {}), **values})

    def batch_size(self, stage: str) -> int | None:
        """Batch size of a ``train``, ``generate`` or ``score`` job; None if a training has no micro-batches."""
        return self.config["compute"]["batch_size"].get(stage)

    def threads(self, stage: str) -> int:
        """CPU threads of a ``train``, ``generate`` or ``score`` job."""
        return self.config["compute"]["threads"][stage]

    def sweep_settings(self, sweep: str) -> dict[str, Any]:
        """What a job needs to know about a sweep: everything but its labels in figures."""
        spec = {key: value for key, value in self.config["sweeps"][sweep].items() if key not in _NAMES_IN_FIGURES}
        found = self.sweeps[sweep]
        return sweep_settings(
            found if found.method is None else replace(found, method=self._placed(found.method)), spec
        )

    def table_settings(self, sweep: str) -> dict[str, Any]:
        """Settings of a sweep's table; coordinates and scorers keep their declared order as lists."""
        return {
            "sweep": self.sweep_settings(sweep),
            "scorers": statistics_settings(self.scorers, self.declared.scorers_of(sweep)),
            "bootstrap": self.config["tables"],
        }

    def sampling(self, prompts: str) -> dict[str, Any]:
        """How the texts of a prompt set are sampled, in both spaces."""
        settings = self.config["generation"] | {"samples": self.declared.samples_of(prompts)}
        return {key: value for key, value in settings.items() if key not in ("nucleus", "precision")}

    def generation(self, key: str) -> Any:
        """A setting of the section ``generation``; None if it is absent, as in a study that generates no texts."""
        return self.config.get("generation", {}).get(key)

    def points_settings(self, sweep: str) -> dict[str, Any]:
        """What a job needs to know about a sweep's points, if it reads neither its texts nor their scores."""
        settings = self.sweep_settings(sweep)
        points = {key: value for key, value in settings["spec"].items() if key != "scorers"} | {"prompts": []}
        return {**settings, "spec": points}

    def analysis(self, name: str) -> Analysis:
        """The declaration of an analysis."""
        return self.declared.analyses[name]

    def analysis_settings(self, name: str) -> dict[str, Any]:
        """Settings of the job of an analysis."""
        return self.analysis(name).settings(self, name)

    def judge_settings(self, scorers: Collection[str]) -> list[dict[str, Any]]:
        """Information on the classifiers among ``scorers`` that is needed to say how good they are."""
        return judge_entries(self.declared, scorers)

    # Names, for wildcard constraints.

    def scored_sweeps(self) -> list[str]:
        """Names of the sweeps whose points generate texts."""
        return [name for name, sweep in self.sweeps.items() if sweep.prompts]

    def analyses(self, *kinds: str) -> list[str]:
        """Names of the analyses of these kinds."""
        return [name for name, spec in self.config["analyses"].items() if spec["kind"] in kinds]

    def checkpoint_uses(self) -> list[str]:
        """The uses of merged checkpoints: the texts of a prompt set, or an analysis that generates texts."""
        return list(
            dict.fromkeys(
                [
                    *self.config["prompts"],
                    *(name for name, analysis in self.declared.analyses.items() if analysis.merged_points(self)),
                ]
            )
        )

    # Inputs of jobs.

    def merge_inputs(self, point: str) -> list[str]:
        """Model directories that a point is made from, sorted by the names of the models."""
        found = Point.parse(point)
        models = self.declared.method(found.method).models(found) if found.method else found.models
        return [self.path("models", model) for model in models]

    def method_files(self, point: str) -> list[str]:
        """The files that the method of a point reads besides models."""
        found = Point.parse(point)
        return self._files(self.declared.method(found.method), [found])

    def sweep_files(self, sweep: str) -> dict[str, list[str]]:
        """The same of the method of a sweep, as an input of a job; none if there are none."""
        method = self.sweeps[sweep].method
        files = self._files(method, [entry.point for entry in self.sweeps[sweep].points]) if method else []
        return {"files": files} if files else {}

    def _files(self, method: Method, points: Sequence[Point]) -> list[str]:
        return [*method.recipe["files"], *statistic_files(method, points, self.path(FOLDER))]

    def method_settings(self, point: str) -> dict[str, Any]:
        """The method of a point, for the job that merges it."""
        return method_settings(self._placed(self.declared.method(Point.parse(point).method)))

    def _placed(self, method: Method) -> Method:
        """``method`` with the places of its statistics."""
        return with_statistics(method, self.path(FOLDER))

    def merge_prompts(self, use: str) -> list[str]:
        """The prompts that the texts of a merged checkpoint of this use continue; none if it is for an analysis."""
        return [self.path("prompts", f"{use}.parquet")] if use in self.config["prompts"] else []

    def ensemble_models(self, point: str) -> list[str]:
        """Names of the models that an ensemble runs: those of its point, and the one that determines the nucleus."""
        return self.declared.ensemble_models(Point.parse(point))

    def ensemble_settings(self, point: str) -> dict[str, Any]:
        """What a job needs to know about an ensemble besides its point."""
        found = Point.parse(point)
        settings = {"models": self.ensemble_models(point), "nucleus": self.declared.nucleus_of(found)}
        experts = self.declared.experts_of(found)
        # Left out without experts, as before there were any, so that nothing reruns.
        return {**settings, "experts": experts} if experts else settings

    def analysis_inputs(self, name: str) -> dict[str, Any]:
        """Inputs of the job of an analysis."""
        return self.analysis(name).inputs(self, name)

    def judge_metrics(self, scorers: Collection[str]) -> list[str]:
        """Files that say how good the classifiers among ``scorers`` are: their exams, or metrics of their trainings."""
        found = dict.fromkeys(metrics_file(entry) for entry in self.judge_settings(scorers))
        return [self.path(*parts) for parts in found if parts is not None]


def alternatives(names: list[str]) -> str:
    """A regular expression for one of ``names``; matches nothing if there are none."""
    escaped = "|".join(name.replace(".", r"\.").replace("+", r"\+") for name in names)
    return f"({escaped})" if names else "(?!)"
