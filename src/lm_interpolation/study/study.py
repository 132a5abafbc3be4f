"""A study as the Snakefile sees it: its paths, sweeps and lines, and what each job reads and is set by.

This is the only place that turns the configuration into jobs; the rules only name stages and resources.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from snakemake.exceptions import WorkflowError

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.jobs.records import top_of
from lm_interpolation.jobs.runtime import error_prefix
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.models.model_folders import context_of, model_files
from lm_interpolation.models.searches import Trial, trials
from lm_interpolation.points.algebra import Line, Point, Sweep, assign_lines, line_owner, sweep_settings
from lm_interpolation.study.config import (
    build_sweeps,
    check_files,
    check_sweep_models,
    resolve,
    root_of,
)
from lm_interpolation.study.declared import declared
from lm_interpolation.study.explorer import pages
from lm_interpolation.study.fetch_plan import fetch_plan
from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.tables import SEARCH_TABLE, Table, sweep_table
from lm_interpolation.study.leak_plan import lineage, plan
from lm_interpolation.study.names import check_file_names
from lm_interpolation.study.scorers import (
    judge_entries,
    shown_settings,
    statistics_settings,
)
from lm_interpolation.study.settings import job_settings

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
        self.corpora = self.declared.corpora
        self.prompts = self.declared.prompts
        self.scorers = self.declared.scorers
        self.table_of_analysis: dict[str, tuple[str, str]] = {
            f"{name}{suffix}": (name, suffix)
            for name, analysis in self.declared.analyses.items()
            for suffix in analysis.table_suffixes()
        }
        merged = {name: analysis.merged_points(self) for name, analysis in self.declared.analyses.items()}
        check_file_names(self.lines.values(), merged, self._trials)

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
        """What the job that makes a corpus is set by."""
        return self.corpora[corpus].settings(corpus, self.declared)

    def corpus_execution(self, corpus: str) -> str:
        """How the job that makes a corpus runs."""
        values: dict[str, Any] = {key: self.config.get(key) for key in self.corpora[corpus].EXECUTION}
        return self.execution(**values)

    def corpus_script(self, corpus: str) -> str:
        """The script that makes a corpus, below workflow/scripts."""
        return self.corpora[corpus].SCRIPT

    def fetch_plan(self) -> dict[str, Any]:
        """What the study takes from the hub."""
        return fetch_plan(self.config, self.corpora)

    def prompt_settings(self, prompts: str) -> dict[str, Any]:
        """What the job that reads a prompt set is set by."""
        return {**self.prompts[prompts].settings(), "readers": self.prompt_readers(prompts)}

    def prompt_script(self, prompts: str) -> str:
        """The script that reads a prompt set, below workflow/scripts."""
        return self.prompts[prompts].SCRIPT

    def sweep_settings(self, sweep: str) -> dict[str, Any]:
        """What a job needs to know of a sweep: not how figures call it."""
        spec = {key: value for key, value in self.config["sweeps"][sweep].items() if key not in _NAMES_IN_FIGURES}
        return sweep_settings(self.sweeps[sweep], spec)

    def table_settings(self, sweep: str) -> dict[str, Any]:
        """What a sweep's table is set by; coordinates and scorers keep their declared order as lists."""
        return {
            "sweep": self.sweep_settings(sweep),
            "scorers": statistics_settings(self.scorers, self.scorers_of(sweep)),
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
        return plan(self.config, self.corpora, combined, measured)

    # The report.

    def table_words(self, table: str) -> Table:
        if table in self.table_of_analysis:
            name, suffix = self.table_of_analysis[table]
            return self.analysis(name).TABLES[suffix]
        return SEARCH_TABLE if table in self._trials else sweep_table(self.scorers[s] for s in self.scorers_of(table))

    def table_sweeps(self, table: str) -> list[str]:
        """Names of the sweeps that a table is about."""
        if table in self.table_of_analysis:
            name, _ = self.table_of_analysis[table]
            return self.analysis(name).sweeps_behind(self.declared)
        return [] if table in self._trials else [table]

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

    def trial_names(self) -> list[str]:
        """Ids of the trials of all searches, each once."""
        return list(dict.fromkeys(trial for found in self._trials.values() for trial in found))

    def streamed(self, streamed: bool) -> list[str]:
        """Names of the corpora whose training texts are, or are not, read while a model trains."""
        return [name for name, corpus in self.corpora.items() if corpus.is_stream() == streamed]

    def shares(self) -> list[str]:
        """Names of the corpora that are shares of others."""
        return [name for name, corpus in self.corpora.items() if corpus.is_share()]

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
        return self.corpora[corpus].input_files()

    def parent_splits(self, corpus: str) -> dict[str, str]:
        """The splits of the corpus that this one is a share of."""
        parent = self.config["corpora"][corpus]["split_from"]
        return {split: self.path("corpora", parent, f"{split}.parquet") for split in SPLITS}

    def prompt_files(self, prompts: str) -> list[str]:
        """Files that a prompt set is read from."""
        return self.prompts[prompts].input_files()

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
        scorers = [self.scorers[name] for name in dict.fromkeys(n for sweep in sweeps for n in self.scorers_of(sweep))]
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

    def table_tokens(self, table: str) -> list[tuple[str, str]]:
        """``token_settings`` of what stands in a table."""
        return self.token_settings(self.table_sweeps(table), self.table_scorers(table))

    def leak_inputs(self) -> list[str]:
        """The splits that are compared, in the order of the plan."""
        return [self.path("corpora", corpus, f"{split}.parquet") for corpus, split in self.leak_plan()["splits"]]

    def judge_metrics(self, scorers: Collection[str]) -> list[str]:
        """What the trainings of the classifiers among ``scorers`` measured."""
        models = dict.fromkeys(entry["model"] for entry in self.judge_settings(scorers) if entry["trained"])
        return [self.path("training", model, "metrics.json") for model in models]

    def table_judges(self, table: str) -> list[str]:
        """``judge_metrics`` of the scorers in a table."""
        return self.judge_metrics(self.table_scorers(table))

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
            for scorer in (scorers or self.scorers_of(sweep))
        }
        return sorted(files)

    def spaces(self, scores: Iterable[str]) -> dict[str, str]:
        """Space by name of the sweeps that own these score files: a point may lie in the line of another sweep."""
        return {
            owner: self.sweeps[owner].space for owner in sorted({line_owner(Path(path).parent.name) for path in scores})
        }

    # Targets.

    def sweep_tables(self) -> list[str]:
        """One table per sweep that generates texts."""
        return [self.path("tables", f"{sweep}.csv") for sweep in self.scored_sweeps()]

    def tables(self) -> list[str]:
        """All tables: of sweeps, analyses and searches."""
        names = [*self.table_of_analysis, *self._trials]
        return self.sweep_tables() + [self.path("tables", f"{name}.csv") for name in names]

    def measurements(self) -> list[str]:
        """Results that show times or memory, so that they, and what is made from them, differ between rebuilds."""
        timed = [table for table, (name, _) in self.table_of_analysis.items() if self.analysis(name).MEASURES_TIME]
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
        return figures + [self.path("explorer-quick.html")] * bool(pages(self)["explorer-quick"])

    def progress(self) -> str:
        """For people: what there is to look at, and how to get the rest."""
        drawn = [name for name in self.config["figures"] if all(map(os.path.exists, self.figure(name)))]
        missing = [name for name in self.config["figures"] if name not in drawn]
        lines = [f"Figures in {self.path('figures')}: {', '.join(drawn)}"] if drawn else []
        explorers = [self.path(f"{name}.html") for name in pages(self)]
        explorers = [path for path in explorers if Path(path).exists()]
        lines += [f"To read texts and scores point by point, open in a browser: {path}" for path in explorers[:1]]
        verdicts = ["the verdicts on the claims"] if self.config["claims"] else []
        explorer = ["the explorer of all sweeps"] if self.explorer() and self.explorer() != explorers[:1] else []
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

    def _training(self, model: str) -> dict[str, Any]:
        return self.config["models"][model]["training"]

    def scorers_of(self, sweep: str) -> list[str]:
        chosen = self.sweeps[sweep].scorers
        return [name for name in self.config["scorers"] if chosen is None or name in chosen]

    def table_scorers(self, table: str) -> list[str]:
        """Names of the scorers whose statistics stand in a table."""
        if table in self.table_of_analysis:
            name, _ = self.table_of_analysis[table]
            return self.analysis(name).scorers_behind(self.declared)
        return [] if table in self._trials else self.scorers_of(table)


def alternatives(names: list[str]) -> str:
    """A regular expression for one of ``names``; matches nothing if there are none."""
    escaped = "|".join(name.replace(".", r"\.").replace("+", r"\+") for name in names)
    return f"({escaped})" if names else "(?!)"
