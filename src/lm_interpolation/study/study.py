"""A study as the Snakefile sees it: its paths, sweeps and lines, and what each job reads and is set by.

This is the only place that turns the configuration into jobs; the rules only name stages and resources.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from snakemake.exceptions import WorkflowError

from lm_interpolation.claims.claim_kinds import claim_needs
from lm_interpolation.data.corpora import SPLITS, corpus_digest, corpus_files, prompt_files
from lm_interpolation.data.leaks import lineage, plan
from lm_interpolation.jobs.records import top_of
from lm_interpolation.jobs.runtime import error_prefix
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.models.model_folders import context_of, model_files
from lm_interpolation.models.searches import Trial, trials
from lm_interpolation.pages.captions import describe_sampling, describe_sweep
from lm_interpolation.pages.descriptions import describe_search, describe_training
from lm_interpolation.points.algebra import Line, Point, Sweep, assign_lines, line_owner, sweep_settings
from lm_interpolation.study.config import (
    build_sweeps,
    check_files,
    check_sweep_models,
    resolve,
    root_of,
)
from lm_interpolation.study.declared import declared
from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.tables import SEARCH_TABLE, Table
from lm_interpolation.study.names import check_file_names
from lm_interpolation.study.scorers import (
    colour_settings,
    judge_entries,
    main_panel,
    shown_settings,
    statistics_settings,
    sweep_table_of,
)
from lm_interpolation.study.settings import job_settings

OTHER_SECTION = "Other results"
"""Category, in the report, of what belongs to no section of the paper."""
_NAMES_IN_FIGURES = ("label", "coordinate_labels")


class Study:
    """The study that ``config`` declares. Raises ``UserError`` if the config does not hold.

    Paths are relative to the working directory and contain Snakemake's wildcards in braces.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config, self.left_out = resolve(config)
        self.sweeps: dict[str, Sweep] = build_sweeps(self.config)
        check_files(self.config)
        self.notes = check_sweep_models(self.config, self.sweeps)
        self.lines: dict[tuple[str, str], Line] = {
            (line.prompts, line.id): line for line in assign_lines(self.sweeps.values())
        }
        self._line_of: dict[tuple[str, str, Point], str] = {
            (line.space, line.prompts, point): line.id for line in self.lines.values() for point in line.points
        }
        self.name: str = self.config["study"]
        self.top = top_of(self.name)
        self.gpu = 1 if self.config["device"] == "cuda" else 0
        self._trials: dict[str, dict[str, Trial]] = {}
        for name, spec in self.config["searches"].items():
            with error_prefix(f"config: searches.{name}.grid"):
                found = trials(spec["grid"], self._training(spec["model"])["schedule"])
            self._trials[name] = {trial.id: trial for trial in found}
        self.declared = declared(self.config)
        self.scorers = self.declared.scorers
        self._table_of_analysis: dict[str, tuple[str, str]] = {
            f"{name}{suffix}": (name, suffix)
            for name, analysis in self.declared.analyses.items()
            for suffix in analysis.TABLES
        }
        merged = {name: analysis.merged_points(self) for name, analysis in self.declared.analyses.items()}
        check_file_names(self.lines.values(), merged, self._trials)

    def path(self, *parts: str) -> str:
        """A path below the study's results folder."""
        return "/".join((self.top, *parts))

    def log(self, *parts: str) -> str:
        """Path of a log file."""
        return self.path("logs", *parts) + ".log"

    def benchmark(self, *parts: str) -> str:
        """Path of a benchmark file: seconds and peak memory of a job, as Snakemake measures them."""
        return self.path("benchmarks", *parts) + ".tsv"

    # What every job depends on besides its data.

    def settings(self, script: str, **arguments: Any) -> str:
        """What the result of a job depends on, as one JSON text: see ``job_settings``.

        ``arguments`` are those of the script's ``main``. One text, because Snakemake compares parameters as an unnamed
        set of values: it would not notice that two were swapped. An edit of a source file or the upgrade of a pinned
        package reruns the jobs that use it.
        """
        return job_settings(script, arguments)

    def execution(self, threads: int | None = None, processes: int = 1, **values: Any) -> str:
        """How a job runs, as one JSON text on which no result depends: what its ``main`` takes by position.

        With ``threads``, for a job that computes, it holds the ``device``, the ``threads``, and as ``gpus`` how many
        GPUs the job leases: on cuda one for each of ``processes``.

        Pass it as the parameter ``execution``, by a function of ``wildcards`` and ``threads``: Snakemake leaves out of
        its comparison what it derives from threads, so a change reruns nothing.
        """
        computes = {"device": self.config["device"], "threads": threads, "gpus": self.gpu * processes}
        return to_text({**(computes if threads is not None else {}), **values})

    def score_execution(self, scorer: str, threads: int) -> str:
        """How a scoring job runs: see ``execution``."""
        declared = self.scorers[scorer]
        values = {"batch_size": self.batch_size("score")} if declared.IN_BATCHES else {}
        values |= declared.execution()
        return self.execution(threads if declared.COMPUTES else None, int(declared.uses_gpu()), **values)

    def batch_size(self, stage: str) -> int | None:
        """Rows of a batch of a ``train``, ``generate`` or ``score`` job; None where a training has no micro-batches."""
        return self.config["compute"]["batch_size"].get(stage)

    def threads(self, stage: str) -> int:
        """CPU threads of a ``train``, ``generate`` or ``score`` job."""
        return self.config["compute"]["threads"][stage]

    def corpus_settings(self, corpus: str) -> dict[str, Any]:
        """A corpus's config entry; ``replace``, whose order counts, as pairs, since ``settings`` sorts mappings."""
        spec = self.config["corpora"][corpus]
        return {**spec, "replace": list(spec.get("replace", {}).items())}

    def sweep_settings(self, sweep: str) -> dict[str, Any]:
        """What a job needs to know of a sweep: not how figures call it."""
        spec = {key: value for key, value in self.config["sweeps"][sweep].items() if key not in _NAMES_IN_FIGURES}
        return sweep_settings(self.sweeps[sweep], spec)

    def table_settings(self, sweep: str) -> dict[str, Any]:
        """What a sweep's table is set by; coordinates and scorers keep their declared order as lists."""
        return {
            "sweep": self.sweep_settings(sweep),
            "scorers": statistics_settings(self.scorers, self._scorers_of(sweep)),
            "bootstrap": self.config["tables"],
        }

    def sampling(self) -> dict[str, Any]:
        """How texts are sampled, in both spaces."""
        return {key: value for key, value in self.config["generation"].items() if key not in ("nucleus", "precision")}

    def model_settings(self, model: str) -> dict[str, Any]:
        """What a trained model is set by: its config entry, without ``save_steps``, on which no result depends."""
        spec = self.config["models"][model]
        training = {key: value for key, value in spec["training"].items() if key != "save_steps"}
        return {**spec, "training": training}

    def points_settings(self, sweep: str) -> dict[str, Any]:
        """What a job needs to know of the points of a sweep alone, if it does not read its texts and their scores."""
        settings = self.sweep_settings(sweep)
        points = {key: value for key, value in settings["spec"].items() if key != "scorers"} | {"prompts": []}
        return {**settings, "spec": points}

    def analysis(self, name: str) -> Analysis:
        """The declaration of an analysis."""
        return self.declared.analyses[name]

    def analysis_settings(self, name: str) -> dict[str, Any]:
        """What the job of an analysis is set by."""
        return self.analysis(name).settings(self, name)

    def claim_settings(self) -> dict[str, Any]:
        """What the verdicts are set by; lists are in the order of ``claim_inputs``."""
        needs = [claim_needs(spec) for _, spec in self._claims(True)]
        losses = self._named(needs, "losses")
        sweeps = [*self._named(needs, "sweeps"), *(self.config["analyses"][name]["sweep"] for name in losses)]
        scorers = self._claim_scorers()
        return {
            "study": self.name,
            "described": [(name, scorer.describe(name)) for name, scorer in self.scorers.items() if name in scorers],
            "judges": self.judge_settings(scorers),
            "claims": self._claims(True),
            "left_out": [(name, spec, self.left_out[f"claims.{name}"]) for name, spec in self._claims(False)],
            "sweeps": [self.sweep_settings(name) for name in dict.fromkeys(sweeps)],
            "spaces": self.spaces(self.claim_inputs()["scores"]),
            "scorers": statistics_settings(self.scorers, scorers),
            "tables": self._named(needs, "analyses"),
            "losses": losses,
            "seed": self.config["tables"]["seed"],
        }

    def trial_settings(self, search: str, trial: str) -> dict[str, Any]:
        """What a trial is set by: the training of the search's model with the trial's values, and when to judge it."""
        found = self._trials[search][trial]
        model = self.model_settings(self.config["searches"][search]["model"])
        values = {"learning_rate": found.learning_rate, "batch_size": found.batch_size, "steps": found.steps}
        return {"model": {**model, "training": model["training"] | values}, "checkpoints": list(found.checkpoints)}

    def search_settings(self, search: str) -> dict[str, Any]:
        """What the table of a search is set by."""
        spec = self.config["searches"][search]
        keys = ("learning_rate", "batch_size", "steps")
        return {
            "search": search,
            "trials": [
                {**{key: getattr(trial, key) for key in keys}, "checkpoints": list(trial.checkpoints)}
                for trial in self._trials[search].values()
            ],
            "configured": {key: self.config["models"][spec["model"]]["training"][key] for key in keys},
        }

    def figure_settings(self, figure: str) -> dict[str, Any]:
        """A figure's config entry as its script takes it, with the labels of sweeps and coordinates."""
        told = ("caption", "paper", "section", "texts")
        spec = {key: value for key, value in self.config["figures"][figure].items() if key not in told}
        sweeps = self.figure_sweeps(figure)
        labels = {
            name: label for sweep in sweeps for name, label in self.config["sweeps"][sweep]["coordinate_labels"].items()
        }
        spec["coordinate_labels"] = labels
        spec["sweep_labels"] = {sweep: self.config["sweeps"][sweep].get("label", sweep) for sweep in sweeps}
        if spec["kind"] == "plane":
            tables = self.figure_tables(figure)
            spec["coordinates"] = list(self.sweeps[spec["sweep"]].directions)
            spec["panels"] = [
                {**panel, "table": tables.index(self.path("tables", f"{panel.get('analysis', spec['sweep'])}.csv"))}
                for panel in spec["panels"]
            ]
            spec["markers"] = [{**marker, "at": list(marker["at"].items())} for marker in spec["markers"]]
            spec["lines"] = [{**line, "coefficients": list(line["coefficients"].items())} for line in spec["lines"]]
        if spec["kind"] in ("curves", "plane"):
            spec["judges"] = self.judge_settings(self._figure_scorers(figure))
        return spec

    def caption_settings(self, figure: str) -> dict[str, Any]:
        """What the text beside a figure is made of; facts are lines on what this study did."""
        spec, sweeps, used = self.config["figures"][figure], self.figure_sweeps(figure), self._figure_scorers(figure)
        analyses = {part.get("analysis") for part in (spec, *spec.get("panels", []))} | {spec.get("cost")}
        # Of texts, where there are any in the figure.
        facts = self._facts(sweeps, used, bool(used), [name for name in self.config["analyses"] if name in analyses])
        facts += [describe_search(name, self.config["searches"][name]) for name in spec.get("searches", [])]
        facts += [describe_training(name, self.model_settings(name)["training"]) for name in spec.get("models", [])]
        return {
            "figure": {key: spec[key] for key in ("title", "caption", "paper")},
            "drawn": self._drawn(figure),
            "facts": facts,
            "judges": self.judge_settings(used),
            "tokens": self.figure_tokens(figure),
        }

    def token_settings(self, sweeps: Iterable[str], scorers: Collection[str]) -> list[tuple[str, str]]:
        """(names of models, folder that tells their special tokens) of sweeps, and of scorers of perplexity."""
        models = [model for name in sweeps for model in self.sweeps[name].models]
        judges = [scorer.judge() for name, scorer in self.scorers.items() if name in scorers]
        models += [judge for judge in judges if judge and self.config["models"][judge]["task"] == "language-model"]
        found: dict[str, list[str]] = {}
        for model in dict.fromkeys(models):
            found.setdefault(self._tokenizer_folder(model), []).append(model)
        return [(", ".join(names), folder) for folder, names in found.items()]

    def judge_settings(self, scorers: Collection[str]) -> list[dict[str, Any]]:
        """What is to be known of the classifiers among ``scorers`` to tell how good they are."""
        return judge_entries(self.config, {name: s for name, s in self.scorers.items() if name in scorers})

    def shown_settings(self) -> list[dict[str, Any]]:
        """What the summary of a run shows of each scorer."""
        return shown_settings(self.scorers)

    def leak_plan(self) -> dict[str, Any]:
        """Which texts are compared to find those that leak."""
        combined = {name: sweep.models for name, sweep in self.sweeps.items()}
        measured = {
            name: {
                **texts._asdict(),
                "models": [model for sweep in found.sweeps_behind(self.declared) for model in combined[sweep]],
            }
            for name, found in self.declared.analyses.items()
            if (texts := found.held_out()) is not None
        }
        return plan(self.config, combined, measured)

    def explorer_settings(self, page: str) -> dict[str, Any]:
        """What a page of `explorer_pages` is set by; sweeps in the order of its tables."""
        colours = {name: self._colour(name) for name in self.explorer_pages()[page]}
        planes = {name: [f for f in self.figures_of("plane") if name in self.figure_sweeps(f)] for name in colours}
        return {
            "study": self.name,
            "samples": self.config["generation"]["samples"],
            "sampling": self._describe_sampling(colours),
            "spaces": self.spaces(self.explorer_inputs(page)["scores"]),
            "sweeps": [
                {
                    "sweep": self.sweep_settings(name),
                    "label": self.config["sweeps"][name].get("label", name),
                    "formula": describe_sweep(self.sweeps[name], self.config["sweeps"][name], False),
                    "coordinate_labels": [
                        self.config["sweeps"][name]["coordinate_labels"].get(coordinate, coordinate)
                        for coordinate in self.sweeps[name].directions
                    ],
                    "colour": colours[name],
                    "panels": self._explorer_panels(name),
                    "markers": next((self.config["figures"][plane]["markers"] for plane in planes[name]), []),
                }
                for name in colours
            ],
            "scorers": {
                name: colour_settings(name, scorer) for name, scorer in self.scorers.items() if name in colours.values()
            },
            "judges": self.judge_settings(self._page_scorers(page)),
        }

    def _facts(
        self, sweeps: Sequence[str], scorers: Collection[str], texts: bool, analyses: Sequence[str]
    ) -> list[str]:
        """Lines on sweeps, with how their texts are sampled if it is about ``texts``, on scorers and analyses."""
        facts = [describe_sweep(self.sweeps[name], self.config["sweeps"][name], texts) for name in sweeps]
        if texts and not analyses:
            # An analysis may generate texts of its own along a sweep without.
            facts = [
                fact if self.sweeps[name].prompts else f"{fact}; no texts"
                for name, fact in zip(sweeps, facts, strict=True)
            ]
        if texts:
            facts.append(self._describe_sampling(sweeps))
        facts += [scorer.describe(name) for name, scorer in self.scorers.items() if name in scorers]
        lower = {"texts": self.config["generation"]["precision"]} if texts else {}
        lower |= {name: self.scorers[name].judge_precision() for name in sorted(scorers)}
        facts += [f"{what} in {value}, our reading" for what, value in lower.items() if value != "fp32"]
        return facts + [self.analysis(name).describe(name) for name in analyses]

    def _describe_sampling(self, sweeps: Iterable[str]) -> str:
        """One line on how texts along these sweeps are sampled."""
        ensembles = any(self.sweeps[name].space == "logits" for name in sweeps)
        return describe_sampling(self.sampling(), self.config["generation"].get("nucleus") if ensembles else None)

    # The report.

    def table_caption_settings(self, table: str) -> dict[str, Any]:
        """What the text beside a table is made of; facts are lines on what this study did."""
        words, judged, sweeps = self._table_words(table), self._table_scorers(table), self._table_sweeps(table)
        coordinates = list(dict.fromkeys(name for sweep in sweeps for name in self.sweeps[sweep].directions))
        if table in self._table_of_analysis:
            name, _ = self._table_of_analysis[table]
            facts = self._facts(sweeps, judged, self.analysis(name).ABOUT_TEXTS, [name])
        elif table in self._trials:
            facts = [describe_search(table, self.config["searches"][table])]
        else:
            facts = self._facts(sweeps, judged, True, [])
        return {
            "row": words.row,
            "columns": list(words.meanings(coordinates, sweeps)),
            "drawn": self._drawn_alone(table),
            "facts": facts,
            "judges": self.judge_settings(judged),
            "tokens": self.table_tokens(table),
            "figures": self._figures_behind(table),
        }

    def _table_words(self, table: str) -> Table:
        if table in self._table_of_analysis:
            name, suffix = self._table_of_analysis[table]
            return self.analysis(name).TABLES[suffix]
        if table in self._trials:
            return SEARCH_TABLE
        return sweep_table_of(self.scorers[name] for name in self._scorers_of(table))

    def _table_sweeps(self, table: str) -> list[str]:
        """Names of the sweeps that a table is about."""
        if table in self._table_of_analysis:
            name, _ = self._table_of_analysis[table]
            return self.analysis(name).sweeps_behind(self.declared)
        return [] if table in self._trials else [table]

    def _drawn_alone(self, table: str) -> dict[str, Any] | None:
        """Settings of the first figure that is drawn from this table and no other; None if there is none."""
        path = self.path("tables", f"{table}.csv")
        alone = (figure for figure in self.config["figures"] if self.figure_tables(figure) == [path])
        return next((self._drawn(figure) for figure in alone), None)

    def _drawn(self, figure: str) -> dict[str, Any]:
        """What a figure draws, from which its findings are computed, without how it looks."""
        looks = ("title", "columns", "panel_width", "panel_height", "dpi")
        return {key: value for key, value in self.figure_settings(figure).items() if key not in looks}

    def _figures_behind(self, table: str) -> list[str]:
        """Names of the figures that are drawn from a table, or from an analysis that draws on its losses."""
        return [
            figure
            for figure, spec in self.config["figures"].items()
            if self.path("tables", f"{table}.csv") in self.figure_tables(figure)
            or ("analysis" in spec and table in self.analysis(spec["analysis"]).analyses_behind())
        ]

    def section(self, figure: str) -> str:
        """Category of a figure in the report."""
        return " ".join(self.config["figures"][figure]["section"].split()) or OTHER_SECTION

    def table_section(self, table: str) -> str:
        """Category of a table in the report: that of the first figure behind which it stands."""
        figures = self._figures_behind(table)
        return self.section(figures[0]) if figures else OTHER_SECTION

    def overview_settings(self) -> dict[str, Any]:
        """What the front page of the report is made of, besides tables and verdicts."""
        scored = self.scored_sweeps()
        # A point that two sweeps share is one point, in one space.
        points = {(self.sweeps[name].space, entry.point) for name in scored for entry in self.sweeps[name].points}
        return {
            "study": self.name,
            # Of the tables, in the order of ``sweep_tables``.
            "spaces": [self.sweeps[name].space for name in scored],
            "points": len(points),
            "ensembles": sum(space == "logits" for space, _ in points),
            "facts": self._facts(list(self.sweeps), self.config["scorers"], bool(scored), []),
            "judges": self.judge_settings(self.config["scorers"]),
        }

    # Names, for wildcard constraints.

    def scored_sweeps(self) -> list[str]:
        """Names of the sweeps whose points generate texts."""
        return [name for name, sweep in self.sweeps.items() if sweep.prompts]

    def analyses(self, *kinds: str) -> list[str]:
        """Names of the analyses of these kinds."""
        return [name for name, spec in self.config["analyses"].items() if spec["kind"] in kinds]

    def checkpoint_uses(self) -> list[str]:
        """What merged checkpoints are for: the texts of a prompt set, or an analysis that generates texts."""
        return list(
            dict.fromkeys(
                [
                    *self.config["prompts"],
                    *(name for name, analysis in self.declared.analyses.items() if analysis.merged_points(self)),
                ]
            )
        )

    def figures_of(self, kind: str) -> list[str]:
        """Names of the figures of this kind."""
        return [name for name, spec in self.config["figures"].items() if spec["kind"] == kind]

    def trial_names(self) -> list[str]:
        """Ids of the trials of all searches, each once."""
        return list(dict.fromkeys(trial for found in self._trials.values() for trial in found))

    def streamed(self, streamed: bool) -> list[str]:
        """Names of the corpora whose training texts are, or are not, read while a model trains."""
        return [name for name, spec in self.config["corpora"].items() if spec.get("stream", False) == streamed]

    def shares(self) -> list[str]:
        """Names of the corpora that are shares of others."""
        return [name for name, spec in self.config["corpora"].items() if spec["source"] == "split"]

    def from_source(self) -> list[str]:
        """Names of the corpora that are read from their source as a whole."""
        return [name for name in self.streamed(False) if name not in self.shares()]

    def trained(self, task: str) -> list[str]:
        """Names of the models of this task that the workflow trains."""
        return [name for name, model in self.config["models"].items() if "data" in model and model["task"] == task]

    def starts(self) -> set[str]:
        """Names of the models that the training of others starts from."""
        return {model["start"]["model"] for model in self.config["models"].values() if "model" in model["start"]}

    def imported(self) -> list[str]:
        """Names of the models that are taken from the hub or a local directory."""
        return [name for name, model in self.config["models"].items() if "data" not in model]

    def line_names(self) -> list[str]:
        """Ids of all lines, each once: a sweep's lines have the same ids under each of its prompt sets."""
        return list(dict.fromkeys(line.id for line in self.lines.values()))

    def training_execution(self, model: str) -> dict[str, Any]:
        """How a training runs, besides its device and threads. A trial of a search trains the search's ``model``."""
        return {
            "processes": self.processes(model),
            "name": model,
            "save_steps": self._training(model)["save_steps"],
            "micro_batch": self.batch_size("train"),
        }

    # Inputs of jobs.

    def corpus_files(self, corpus: str) -> list[str]:
        """Files that a corpus is read from, of many documents the newest; a dataset on the hub has none."""
        return corpus_files(self.config["corpora"][corpus])

    def corpus_digest(self, corpus: str) -> str | None:
        """What tells, besides these files, that a corpus has changed; None if they tell all."""
        return corpus_digest(self.config["corpora"][corpus])

    def parent_splits(self, corpus: str) -> dict[str, str]:
        """The splits of the corpus that this one is a share of."""
        parent = self.config["corpora"][corpus]["split_from"]
        return {split: self.path("corpora", parent, f"{split}.parquet") for split in SPLITS}

    def prompt_files(self, prompts: str) -> list[str]:
        """Files that a prompt set is read from."""
        return prompt_files(self.config["prompts"][prompts])

    def model_files(self, model: str) -> list[str]:
        """The files of a local directory that a model is imported from, as far as the import reads them."""
        directory = self.config["models"][model]["start"].get("directory")
        return [str(path) for path in model_files(directory)] if directory else []

    def rounding_references(self) -> dict[str, str]:
        """Imported language model to the model that its rounding is measured against.

        That is the first of the origin, else of the directions, of a sweep in weights that has both. What is trained
        from the imported model shares its rounding, and is no reference.
        """
        references: dict[str, str] = {}
        for name, sweep in self.sweeps.items():
            if sweep.space != "weights":
                continue
            spec = self.config["sweeps"][name]
            models = [model for part in (spec["origin"], *spec["directions"].values()) for model in part]
            for model in (model for model in models if model in self.imported()):
                others = [other for other in models if model not in lineage(self.config["models"], [other])]
                if others:
                    references.setdefault(model, others[0])
        return references

    def training_inputs(self, model: str) -> dict[str, Any]:
        """Data, and the parent model, the model of the same architecture, or the tokenizer, for training ``model``."""
        spec = self.config["models"][model]
        corpus = spec["data"]["corpus"]
        inputs: dict[str, Any] = {
            split: self.path("corpora", corpus, f"{split}.parquet")
            for split in (SPLITS if spec["task"] == "classifier" else SPLITS[:2])
        }
        if corpus in self.streamed(True):
            inputs["stream"] = self.path("corpora", corpus, "stream.json")
            del inputs["train"]
        for key, name in (("model", "start"), ("architecture_of", "like")):
            if key in spec["start"]:
                inputs[name] = self.path("models", spec["start"][key])
        if "tokenizer" in spec["start"]:
            inputs["tokenizer"] = self.path("tokenizers", spec["start"]["tokenizer"])
        return inputs

    def processes(self, model: str) -> int:
        """Processes that train ``model`` together; on cuda each has a GPU."""
        return self._training(model)["processes"]

    def merge_inputs(self, point: str) -> list[str]:
        """Model directories that take part in a point, in the order of its id."""
        return [self.path("models", model) for model in Point.parse(point).models]

    def merge_prompts(self, use: str) -> list[str]:
        """The prompts that the texts of a merged checkpoint of this use continue; none if it is for an analysis."""
        return [self.path("prompts", f"{use}.parquet")] if use in self.config["prompts"] else []

    def ensemble_models(self, point: str) -> list[str]:
        """Names of the models that an ensemble runs: those of its point, and the one that decides on the nucleus."""
        names = list(Point.parse(point).models)
        nucleus = self.config["generation"].get("nucleus")
        return names + [nucleus] * (nucleus is not None and nucleus not in names)

    def analysis_inputs(self, name: str) -> dict[str, Any]:
        """What the job of an analysis reads."""
        return self.analysis(name).inputs(self, name)

    def prompt_readers(self, prompts: str) -> list[dict[str, Any]]:
        """Who continues a set of prompts, and needs room for that, and which judges read them (see ``readers``)."""
        sweeps = [name for name, sweep in self.sweeps.items() if prompts in sweep.prompts]
        room = self.config["generation"]["max_new_tokens"]
        measured = [
            sweep
            for analysis in self.declared.analyses.values()
            if analysis.continued_prompts() == prompts
            for sweep in analysis.sweeps_behind(self.declared)
        ]
        models = [(model, room) for name in (*sweeps, *measured) for model in self.sweeps[name].models]
        scorers = [self.scorers[name] for name in dict.fromkeys(n for sweep in sweeps for n in self._scorers_of(sweep))]
        full = [(judge, 0) for scorer in scorers if scorer.judge_reads_prompts() and (judge := scorer.judge())]
        return self.readers([*models, *full])

    def readers(self, models: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        """What ``lengths.open_readers`` is told, for pairs (model, tokens that are reserved), without repetitions.

        ``tokenizer`` is the folder, of a tokenizer or an imported model, that is there before the weights.
        """
        found: dict[tuple[str, int | None, int], dict[str, Any]] = {}
        for model, reserve in models:
            tokenizer = self._tokenizer_folder(model)
            context = context_of(root_of(self.config, model)[1].get("architecture", {}))
            entry = {"name": f"model {model}", "tokenizer": tokenizer, "context": context, "reserve": reserve}
            found.setdefault((tokenizer, context, reserve), entry)
        return list(found.values())

    def _tokenizer_folder(self, model: str) -> str:
        """Where the tokenizer of a model lies before it is trained: its own folder, or the imported model's."""
        name, start = root_of(self.config, model)
        return self.path("tokenizers", start["tokenizer"]) if "tokenizer" in start else self.path("models", name)

    def figure_tokens(self, figure: str) -> list[tuple[str, str]]:
        """``token_settings`` of what a figure shows."""
        return self.token_settings(self.figure_sweeps(figure), self._figure_scorers(figure))

    def table_tokens(self, table: str) -> list[tuple[str, str]]:
        """``token_settings`` of what stands in a table."""
        return self.token_settings(self._table_sweeps(table), self._table_scorers(table))

    def leak_inputs(self) -> list[str]:
        """The splits that are compared, in the order of the plan."""
        return [self.path("corpora", corpus, f"{split}.parquet") for corpus, split in self.leak_plan()["splits"]]

    def judge_metrics(self, scorers: Collection[str]) -> list[str]:
        """What the trainings of the classifiers among ``scorers`` measured."""
        models = dict.fromkeys(entry["model"] for entry in self.judge_settings(scorers) if entry["trained"])
        return [self.path("training", model, "metrics.json") for model in models]

    def figure_judges(self, figure: str) -> list[str]:
        """``judge_metrics`` of the scorers that a figure shows."""
        return self.judge_metrics(self._figure_scorers(figure))

    def table_judges(self, table: str) -> list[str]:
        """``judge_metrics`` of the scorers in a table."""
        return self.judge_metrics(self._table_scorers(table))

    def claim_inputs(self) -> dict[str, list[str]]:
        """Scores, tables of analyses and losses that the claims are tested on, and how good their judges are."""
        needs = [claim_needs(spec) for _, spec in self._claims(True)]
        scores = {
            path
            for need in needs
            for sweep, prompts, scorer in need["scores"]
            for path in self.sweep_scores(sweep, [scorer], [prompts])
        }
        return {
            "scores": sorted(scores),
            "tables": [
                self.path("tables", f"{self._claim_table(name)}.csv") for name in self._named(needs, "analyses")
            ],
            "losses": [self.path("losses", f"{name}.parquet") for name in self._named(needs, "losses")],
            "judges": self.judge_metrics(self._claim_scorers()),
        }

    def explorer_pages(self) -> dict[str, list[str]]:
        """Page to the sweeps that are explored on it: all that have texts, or those that the quick part draws."""
        drawn = {path for figure in self.config["quick"] for path in self.figure_tables(figure)}
        sweeps = self.scored_sweeps()
        return {
            "explorer": sweeps,
            "explorer-quick": [name for name in sweeps if self.path("tables", f"{name}.csv") in drawn],
        }

    def explorer_inputs(self, page: str) -> dict[str, list[str]]:
        """Tables, prompts and texts of the sweeps of a page, scores that colour texts, and how good judges are."""
        sweeps = {name: self.sweeps[name] for name in self.explorer_pages()[page]}
        prompts = dict.fromkeys(prompts for sweep in sweeps.values() for prompts in sweep.prompts)
        texts = {
            self.path("texts", sweep.space, prompts, f"{entry.point.id}.parquet")
            for sweep in sweeps.values()
            for prompts in sweep.prompts
            for entry in sweep.points
        }
        scores = {
            path for name in sweeps if (scorer := self._colour(name)) for path in self.sweep_scores(name, [scorer])
        }
        return {
            "tables": [self.path("tables", f"{name}.csv") for name in sweeps],
            "prompts": [self.path("prompts", f"{name}.parquet") for name in prompts],
            "texts": sorted(texts),
            "scores": sorted(scores),
            "judges": self.judge_metrics(self._page_scorers(page)),
        }

    def trial_metrics(self, search: str) -> list[str]:
        """Results of the trials of a search."""
        return [self.path("searches", search, trial, "metrics.json") for trial in self._trials[search]]

    def score_inputs(self, prompts: str, line: str, scorer: str) -> dict[str, Any]:
        """The texts of a line, and the prompts and the judge if the scorer reads them."""
        declared = self.scorers[scorer]
        inputs: dict[str, Any] = {"texts": self.line_texts(prompts, line)}
        if declared.READS_PROMPTS:
            inputs["prompts"] = self.path("prompts", f"{prompts}.parquet")
        if (judge := declared.judge()) is not None:
            inputs["model"] = self.path("models", judge)
        return inputs

    def line_texts(self, prompts: str, line: str) -> list[str]:
        """Text files of the points of a line, in the order of ``line_points``."""
        found = self.lines[prompts, line]
        return [self.path("texts", found.space, prompts, f"{point.id}.parquet") for point in found.points]

    def line_points(self, prompts: str, line: str) -> list[str]:
        """Ids of the points of a line."""
        return [point.id for point in self.lines[prompts, line].points]

    def sweep_scores(
        self, sweep: str, scorers: Sequence[str] | None = None, prompts: Sequence[str] | None = None
    ) -> list[str]:
        """Score files in which the points of a sweep are found, of all its scorers and prompt sets or of these."""
        found = self.sweeps[sweep]
        files = {
            self.path("scores", name, self._line_of[found.space, name, entry.point], f"{scorer}.parquet")
            for name in (prompts or found.prompts)
            for entry in found.points
            for scorer in (scorers or self._scorers_of(sweep))
        }
        return sorted(files)

    def spaces(self, scores: Iterable[str]) -> dict[str, str]:
        """Space by name of the sweeps that own these score files: a point may lie in the line of another sweep."""
        return {
            owner: self.sweeps[owner].space for owner in sorted({line_owner(Path(path).parent.name) for path in scores})
        }

    def figure_sweeps(self, figure: str) -> list[str]:
        """Names of the sweeps that a figure shows, directly or through an analysis."""
        spec = self.config["figures"][figure]
        if "sweeps" in spec:
            return list(spec["sweeps"])
        if "sweep" in spec:
            return [spec["sweep"]]
        return self.analysis(spec["analysis"]).sweeps_behind(self.declared) if "analysis" in spec else []

    def figure_tables(self, figure: str) -> list[str]:
        """The tables, or loss curves, behind a figure."""
        spec = self.config["figures"][figure]
        match spec["kind"]:
            case "curves":
                names = spec["sweeps"] + [spec[key] for key in ("cost", "texts") if key in spec]
            case "plane":
                names = [panel.get("analysis", spec["sweep"]) for panel in spec["panels"]]
            case "search":
                names = spec["searches"]
            case "training":
                return [self.path("training", model, "loss.csv") for model in spec["models"]]
            case "linearity":
                names = [spec["analysis"], f"{spec['analysis']}_summary"]
            case _:
                names = [spec["analysis"]]
        return [self.path("tables", f"{name}.csv") for name in dict.fromkeys(names)]

    def curves_inputs(self, figure: str) -> dict[str, Any]:
        """Tables of the sweeps of a figure of curves, how good its judges are, and the cost if it shows it."""
        spec = self.config["figures"][figure]
        inputs: dict[str, Any] = {
            "tables": [self.path("tables", f"{sweep}.csv") for sweep in spec["sweeps"]],
            "judges": self.figure_judges(figure),
        }
        if "cost" in spec:
            inputs["cost"] = self.path("tables", f"{spec['cost']}.csv")
        return inputs

    # Targets.

    def sweep_tables(self) -> list[str]:
        """One table per sweep that generates texts."""
        return [self.path("tables", f"{sweep}.csv") for sweep in self.scored_sweeps()]

    def tables(self) -> list[str]:
        """All tables: of sweeps, analyses and searches."""
        names = [*self._table_of_analysis, *self._trials]
        return self.sweep_tables() + [self.path("tables", f"{name}.csv") for name in names]

    def measurements(self) -> list[str]:
        """Results that show times or memory, so that they, and what is made from them, differ between rebuilds."""
        timed = [table for table, (name, _) in self._table_of_analysis.items() if self.analysis(name).MEASURES_TIME]
        return [*(self.path("tables", f"{table}.csv") for table in timed), self.path("summary.txt")]

    def figure(self, name: str) -> list[str]:
        """A figure as PNG and PDF, and the text beside it."""
        return [self.path("figures", f"{name}.{kind}") for kind in ("png", "pdf", "md")]

    def figures(self) -> list[str]:
        """Files of all figures."""
        return [path for name in self.config["figures"] for path in self.figure(name)]

    def pages(self) -> list[str]:
        """What the report shows besides tables, figures and verdicts: texts beside tables, and all of it to read."""
        tables = [str(Path(table).with_suffix(suffix)) for table in self.tables() for suffix in (".html", ".md")]
        return [*tables, *([self.path("claims.html")] if self.claims() else []), self.path("overview.md")]

    def results(self) -> list[str]:
        """What the complete study ends with; all else is on the way there."""
        pages = [*self.explorer(), *self.pages()]
        return [self.path("summary.txt"), *self.tables(), *self.figures(), *self.claims(), *pages]

    def quick(self) -> list[str]:
        """Files of the figures that the study names as its quick part, and the page that explores their sweeps."""
        if not self.config["quick"]:
            raise WorkflowError("the study has no quick part; list the figures of one under its key quick")
        figures = [path for name in self.config["quick"] for path in self.figure(name)]
        return figures + [self.path("explorer-quick.html")] * bool(self.explorer_pages()["explorer-quick"])

    def progress(self) -> str:
        """For people: what there is to look at, and how to get the rest."""
        drawn = [name for name in self.config["figures"] if all(map(os.path.exists, self.figure(name)))]
        missing = [name for name in self.config["figures"] if name not in drawn]
        lines = [f"Figures in {self.path('figures')}: {', '.join(drawn)}"] if drawn else []
        pages = [self.path(f"{name}.html") for name in self.explorer_pages()]
        pages = [path for path in pages if Path(path).exists()]
        lines += [f"To read texts and scores point by point, open in a browser: {path}" for path in pages[:1]]
        verdicts = ["the verdicts on the claims"] if self.config["claims"] else []
        explorer = ["the explorer of all sweeps"] if self.explorer() and self.explorer() != pages[:1] else []
        rest = ", ".join([*missing, *verdicts, *explorer, "a summary"])
        return "\n".join([*lines, f"Not built yet: {rest}. All of it: the same command without a target (make all)"])

    def claims(self) -> list[str]:
        """The verdicts, for people and for programs; nothing if the study makes no claims."""
        return [self.path("claims.md"), self.path("claims.json")] if self.config["claims"] else []

    def explorer(self) -> list[str]:
        """The page on which texts and scores are explored; nothing if the study generates no texts."""
        return [self.path("explorer.html")] if self.scored_sweeps() else []

    def refuse(self, path: str) -> NoReturn:
        """Tell whoever asks for something that is left out why it cannot be had."""
        raise WorkflowError(f"{path} cannot be built: {self.left_out[path]}; declare what is missing in the study")

    def _claims(self, tested: bool) -> list[tuple[str, dict[str, Any]]]:
        """(name, config entry) of the claims whose data the study declares, or does not."""
        claims = self.config["claims"].items()
        return [(name, spec) for name, spec in claims if (f"claims.{name}" not in self.left_out) == tested]

    def _named(self, needs: Sequence[Mapping[str, list]], key: str) -> list[str]:
        return list(dict.fromkeys(name for need in needs for name in need[key]))

    def _claim_table(self, analysis: str) -> str:
        return f"{analysis}_summary" if self.config["analyses"][analysis]["kind"] == "linearity" else analysis

    def _training(self, model: str) -> dict[str, Any]:
        return self.config["models"][model]["training"]

    def _scorers_of(self, sweep: str) -> list[str]:
        chosen = self.sweeps[sweep].scorers
        return [name for name in self.config["scorers"] if chosen is None or name in chosen]

    def _figure_scorers(self, figure: str) -> set[str]:
        """Names of the scorers whose statistics a figure shows."""
        spec = self.config["figures"][figure]
        parts = [part for panel in spec.get("panels", []) for part in (panel, panel.get("x", {}))]
        analysis = self.config["analyses"].get(spec.get("analysis"), {})
        return {part["scorer"] for part in [*parts, analysis] if "scorer" in part}

    def _table_scorers(self, table: str) -> list[str]:
        """Names of the scorers whose statistics stand in a table."""
        if table in self._table_of_analysis:
            name, _ = self._table_of_analysis[table]
            return self.analysis(name).scorers_behind(self.declared)
        return [] if table in self._trials else self._scorers_of(table)

    def _claim_scorers(self) -> set[str]:
        """Names of the scorers that claims are tested on."""
        return {scorer for _, spec in self._claims(True) for _, _, scorer in claim_needs(spec)["scores"]}

    def _page_scorers(self, page: str) -> set[str]:
        """Names of the scorers of the sweeps of a page of ``explorer_pages``."""
        return {scorer for sweep in self.explorer_pages()[page] for scorer in self._scorers_of(sweep)}

    def _colour(self, sweep: str) -> str | None:
        """The scorer that colours the texts of a sweep: its first one that gives each text a score."""
        return next((name for name in self._scorers_of(sweep) if self.scorers[name].colour() is not None), None)

    def _explorer_panels(self, sweep: str) -> list[dict[str, Any]]:
        """The statistics of each scorer of a sweep that figures of it show, else those that any figure shows.

        Scorers that no figure shows get their main statistic.
        """
        own: dict[str, dict[str, list[dict[str, Any]]]] = {}
        others: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for name, figure in self.config["figures"].items():
            found = own if sweep in self.figure_sweeps(name) else others
            for panel in figure.get("panels", []):
                if "scorer" in panel:
                    found.setdefault(panel["scorer"], {}).setdefault(panel["statistic"], []).append(panel)
        panels = []
        for scorer in self._scorers_of(sweep):
            drawn = own.get(scorer) or others.get(scorer) or main_panel(scorer, self.scorers[scorer])
            for statistic, same in drawn.items():
                # A panel of one set of prompts may say so in its label.
                fitting = [panel for panel in same if panel.get("prompts") in (None, *self._only_prompts(sweep))]
                panel = (fitting or same)[0]
                kept: dict[str, Any] = {
                    key: panel[key] for key in ("label", "scale", "limit", "centre") if key in panel
                }
                if not fitting:
                    kept["label"] = f"{scorer} {statistic}"
                panels.append({"scorer": scorer, "statistic": statistic, **kept})
        return panels

    def _only_prompts(self, sweep: str) -> tuple[str, ...]:
        """The set of prompts of a sweep that has one only."""
        prompts = self.sweeps[sweep].prompts
        return prompts if len(prompts) == 1 else ()


def alternatives(names: list[str]) -> str:
    """A regular expression for one of ``names``; matches nothing if there are none."""
    escaped = "|".join(name.replace(".", r"\.").replace("+", r"\+") for name in names)
    return f"({escaped})" if names else "(?!)"
