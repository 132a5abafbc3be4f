"""A study as the Snakefile sees it: its paths, sweeps and lines, and what each job reads and is set by.

This is the only place that turns the configuration into jobs; the rules only name stages and resources.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.lib.config import build_sweeps, check_files, check_sweep_models, resolve
from workflow.lib.corpora import corpus_files, prompt_files
from workflow.lib.points import Line, Point, Sweep, assign_lines
from workflow.lib.sources import ROOT, pinned_packages, source_files

SPLITS = ("train", "dev", "test")


class Study:
    """The study that ``config`` declares. Raises ``UserError`` if the config does not hold.

    Paths are relative to the working directory and contain Snakemake's wildcards in braces.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = resolve(config)
        self.sweeps: dict[str, Sweep] = build_sweeps(self.config)
        check_files(self.config)
        check_sweep_models(self.config, self.sweeps)
        self.lines: dict[tuple[str, str], Line] = {
            (line.prompts, line.id): line for line in assign_lines(self.sweeps.values())
        }
        self._line_of: dict[tuple[str, str, Point], str] = {
            (line.space, line.prompts, point): line.id for line in self.lines.values() for point in line.points
        }
        self.name: str = self.config["study"]
        self.gpu = 1 if self.config["device"] == "cuda" else 0

    def path(self, *parts: str) -> str:
        """A path below the study's results folder."""
        return "/".join(("results", self.name, *parts))

    def log(self, *parts: str) -> str:
        """Path of a log file."""
        return self.path("logs", *parts) + ".log"

    def benchmark(self, *parts: str) -> str:
        """Path of a benchmark file: seconds and peak memory of a job, as Snakemake measures them."""
        return self.path("benchmarks", *parts) + ".tsv"

    # What every job depends on besides its data.

    def sources(self, script: str) -> list[str]:
        """The script's own source files, as inputs: an edit reruns the stages that use them."""
        return [os.path.relpath(ROOT / file) for file in source_files(script)]

    def settings(self, script: str, **values: Any) -> dict[str, Any]:
        """The parameters of a job as one dictionary with sorted keys, in which Snakemake notices every change.

        (It compares parameters as an unnamed set of values, so that two swapped ones would go unnoticed.)
        """
        return _sorted({**values, "packages": pinned_packages(script)})

    def threads(self, stage: str) -> int:
        """CPU threads of a ``train``, ``generate`` or ``score`` job."""
        return self.config["compute"]["threads"][stage]

    def corpus_settings(self, corpus: str) -> dict[str, Any]:
        """A corpus's config entry; ``replace``, whose order counts, as pairs, since ``settings`` sorts mappings."""
        spec = self.config["corpora"][corpus]
        return {**spec, "replace": list(spec.get("replace", {}).items())}

    def table_settings(self, sweep: str) -> dict[str, Any]:
        """What a sweep's table is set by; coordinates and scorers keep their declared order as lists."""
        return {
            "sweep": self.config["sweeps"][sweep],
            "coordinates": list(self.sweeps[sweep].directions),
            "scorers": list(self.config["scorers"].items()),
            "bootstrap": self.config["tables"],
        }

    def model_settings(self, model: str) -> dict[str, Any]:
        """What a trained model is set by: its config entry, without ``save_steps``, on which no result depends."""
        spec = self.config["models"][model]
        training = {key: value for key, value in spec["training"].items() if key != "save_steps"}
        return {**spec, "training": training}

    # Names, for wildcard constraints.

    def trained(self, task: str) -> list[str]:
        """Names of the models of this task that the workflow trains."""
        return [name for name, model in self.config["models"].items() if "data" in model and model["task"] == task]

    def imported(self) -> list[str]:
        """Names of the models that are taken from the hub or a local directory."""
        return [name for name, model in self.config["models"].items() if "data" not in model]

    def scorers(self, kind: str) -> list[str]:
        """Names of the scorers of this kind."""
        return [name for name, scorer in self.config["scorers"].items() if scorer["kind"] == kind]

    def line_names(self) -> list[str]:
        """Ids of all lines, each once: a sweep's lines have the same ids under each of its prompt sets."""
        return list(dict.fromkeys(line.id for line in self.lines.values()))

    # Inputs of jobs.

    def corpus_files(self, corpus: str) -> list[str]:
        """Files that a corpus is read from; a dataset on the hub has none."""
        return corpus_files(self.config["corpora"][corpus])

    def prompt_files(self, prompts: str) -> list[str]:
        """Files that a prompt set is read from."""
        return prompt_files(self.config["prompts"][prompts])

    def model_files(self, model: str) -> list[str]:
        """Weights and configuration of a local directory that a model is imported from."""
        directory = self.config["models"][model]["start"].get("directory")
        return sorted(str(path) for path in Path(directory).iterdir() if path.is_file()) if directory else []

    def training_inputs(self, model: str) -> dict[str, Any]:
        """Data, and the parent model or the tokenizer, that training ``model`` reads."""
        spec = self.config["models"][model]
        inputs: dict[str, Any] = {
            split: self.path("corpora", spec["data"]["corpus"], f"{split}.parquet")
            for split in (SPLITS if spec["task"] == "classifier" else SPLITS[:2])
        }
        if "model" in spec["start"]:
            inputs["start"] = self.path("models", spec["start"]["model"])
        else:
            inputs["tokenizer"] = self.path("tokenizers", spec["start"]["tokenizer"])
        return inputs

    def merge_inputs(self, point: str) -> list[str]:
        """Model directories that take part in a point, in the order of its id."""
        return [self.path("models", model) for model in Point.parse(point).models]

    def line_texts(self, prompts: str, line: str) -> list[str]:
        """Text files of the points of a line, in the order of ``line_points``."""
        found = self.lines[prompts, line]
        return [self.path("texts", found.space, prompts, f"{point.id}.parquet") for point in found.points]

    def line_points(self, prompts: str, line: str) -> list[str]:
        """Ids of the points of a line."""
        return [point.id for point in self.lines[prompts, line].points]

    def sweep_scores(self, sweep: str) -> list[str]:
        """Score files in which the points of a sweep are found, for all scorers and prompt sets."""
        found = self.sweeps[sweep]
        files = {
            self.path("scores", prompts, self._line_of[found.space, prompts, entry.point], f"{scorer}.parquet")
            for prompts in found.prompts
            for entry in found.points
            for scorer in self.config["scorers"]
        }
        return sorted(files)

    # Targets.

    def tables(self) -> list[str]:
        """One table per sweep."""
        return [self.path("tables", f"{sweep}.csv") for sweep in self.sweeps]

    def figures(self) -> list[str]:
        """Every figure as PNG and PDF."""
        return [self.path("figures", f"{name}.{kind}") for name in self.config["figures"] for kind in ("png", "pdf")]


def alternatives(names: list[str]) -> str:
    """A regular expression for one of ``names``; matches nothing if there are none."""
    escaped = "|".join(name.replace(".", r"\.") for name in names)
    return f"({escaped})" if names else "(?!)"


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value
