"""Results of a study made up by hand, as far as the explorer reads them: no model is trained or run."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.pages.explorer import page_data, write_page
from lm_interpolation.points.algebra import Point
from lm_interpolation.scores.distinct import score_distinct
from lm_interpolation.scores.score_files import ScoreFiles, write_scores
from lm_interpolation.study import explorer
from lm_interpolation.study.settings import canonical
from lm_interpolation.study.study import Study
from lm_interpolation.tables.tables import sweep_table, write_table

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "workflow" / "report" / "explorer.html"

# For a copy of the Snakefile.
KEEP_RECORDS = """

import os
from snakemake.iocontainers import Wildcards
from lm_interpolation.study.lineage import settings_of
from lm_interpolation.jobs.records import Input, digest, record_path, write_records

jobs = jobs_behind(study.targets.results(), workflow.rules, ())
settings = dict(settings_of(jobs, workflow.rules))
for job in jobs:
    maker = workflow.get_rule(job.rule)
    wildcards = Wildcards(fromdict=maker.get_wildcards(job.outputs[0]))
    inputs = map(str, maker.expand_input(wildcards)[0])
    read = [Input(path, digest(path)[0] if os.path.exists(path) else "0" * 64) for path in inputs]
    for output in job.outputs:
        if os.path.exists(output) and not record_path(study.path(), output).exists():
            log = str(maker.expand_log(wildcards)[0])
            write_records([output], study.path(), job.rule, settings[output], read, log)
"""

Text = Callable[[Point, int, int], str]
"""(point, row, sample) to its continuation."""


def made_config(**changes: Any) -> dict[str, Any]:
    """The config of tests/tiny.yaml without what the explorer does not read; ``changes`` replace whole keys."""
    config = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text())
    for key in ("analyses", "searches", "claims"):
        del config[key]
    # YAML anchors make one object of settings that several models share.
    return copy.deepcopy({**config, "tables": {"resamples": 100}, **changes})


def keep_records(folder: Path, config: str) -> None:
    """Let all results that are in ``folder``, where the workflow is, count as made by its jobs."""
    snakefile = folder / "Snakefile"
    text = snakefile.read_text()
    snakefile.write_text(text + KEEP_RECORDS)
    command = [sys.executable, "-m", "snakemake", "--list-rules", "--configfile", config]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    snakefile.write_text(text)


def plain_text(point: Point, row: int, sample: int) -> str:
    return f" text {sample} of prompt {row} at {point.id}"


def made_score(point: Point, row: int, sample: int) -> float:
    """Probability of the positive class, which rises with the share of the positive model."""
    share = float(dict(point.coefficients).get("positive", 0))
    return round(float(np.clip(0.3 + 0.4 * share + 0.05 * sample - 0.01 * (row % 7), 0, 1)), 3)


def write_metrics(study: Study, folder: Path = Path(), models: Sequence[str] | None = None, **test: Any) -> None:
    """Write what the trainings of classifiers (``models``, or all) measured, below ``folder``; ``test`` sets values."""
    for model in models or study.models.trained("classifier"):
        classes = study.corpora[study.config["models"][model]["data"]["corpus"]].class_names(study.declared)
        measured = {"texts": 90, "accuracy": 0.9, "majority_share": 0.5, "recall": dict.fromkeys(classes, 0.9)}
        measured |= {"expected_calibration_error": 0.05, **test}
        path = folder / study.path("training", model, "metrics.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"parameters": 1000, "classes": classes, "dev": measured, "test": measured}))


def make_results(study: Study, text: Text = plain_text) -> None:
    """Write metrics, prompts, texts, scores and tables of ``study`` below the working directory.

    Class probabilities are ``made_score`` for positive (and acceptable) and the rest for negative; an empty
    continuation has no perplexity.
    """
    write_metrics(study)
    for name, spec in study.config["prompts"].items():
        table = pa.table({"row": pa.array(range(len(spec["texts"])), pa.int64()), "text": spec["texts"]})
        write_parquet(table, study.path("prompts", f"{name}.parquet"))
    for (prompts, name), line in study.lines.all.items():
        rows = range(len(study.config["prompts"][prompts]["texts"]))
        samples = study.declared.samples_of(prompts)
        keys = [(point, row, sample) for point in line.points for row in rows for sample in range(samples)]
        frame = pd.DataFrame({"point": [p.id for p, _, _ in keys], "row": [r for _, r, _ in keys]})
        frame["sample"] = np.array([sample for _, _, sample in keys], dtype=np.int32)
        frame["continuation"] = [text(*key) for key in keys]
        for point, path in zip(line.points, study.lines.texts(prompts, name), strict=True):
            texts = frame.loc[frame["point"] == point.id, ["row", "sample", "continuation"]]
            write_parquet(pa.Table.from_pandas(texts, preserve_index=False), path)
        score = np.array([made_score(*key) for key in keys])
        tokens = frame["continuation"].str.split().str.len().to_numpy(dtype=np.int32)
        for scorer in study.declared.scorers_of(line.id.partition("+")[0]):
            kind = study.config["scorers"][scorer]["kind"]
            judged = study.declared.scorers[scorer].samples
            chosen = frame["sample"] < (samples if judged is None else judged)
            values = frame[["point", "row", "sample"]].copy()
            if kind == "classifier":
                first, *others = study.config["scorers"][scorer]["weights"]
                values[f"p_{first}"] = score
                for other in others:
                    values[f"p_{other}"] = 0.0
                values["p_rest"] = 1 - score
            elif kind == "perplexity":
                for part, count in (("continuation", tokens), ("text", tokens + 2)):
                    values[f"nll_{part}"] = count * (2 + score)
                    values[f"tokens_{part}"] = count
            else:
                values = pd.concat(
                    score_distinct(
                        group["row"].tolist(),
                        group["sample"].tolist(),
                        group["continuation"].tolist(),
                        study.config["scorers"][scorer]["n"],
                    ).assign(point=point)
                    for point, group in frame[chosen].groupby("point", sort=False)
                )
            kept = values[chosen] if "sample" in values else values
            write_scores(kept, study.path("scores", prompts, name, f"{scorer}.parquet"))
    for name in study.scored_sweeps():
        sweep = study.sweeps[name]
        files = ScoreFiles(study.lines.scores(name), {key: study.sweeps[key].space for key in study.sweeps})
        scorers = {scorer: study.scorers[scorer].statistics() for scorer in study.declared.scorers_of(name)}
        scores = {prompts: {scorer: files(sweep, prompts, scorer) for scorer in scorers} for prompts in sweep.prompts}
        write_table(sweep_table(sweep, scores, scorers, **study.config["tables"]), study.path("tables", f"{name}.csv"))


def make_page(study: Study, path: str, page: str = "explorer") -> dict[str, Any]:
    """Write a page of the results below the working directory; returns what it shows."""
    data = page_data(explorer.inputs(study, page), **canonical(explorer.settings(study, page)))
    write_page(data, TEMPLATE, path)
    return data
