"""The model card of an exported point: where it comes from, what it scored, how to load it. Imports no torch."""

import math
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from huggingface_hub import ModelCardData

from lm_interpolation.jobs.manifest import hub_commits
from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.pages.descriptions import describe_lora
from lm_interpolation.pages.facts import describe_entry, describe_sampling
from lm_interpolation.pages.markdown import plain, table_row
from lm_interpolation.points.algebra import ZERO, format_decimal
from lm_interpolation.scores.judges import MARK, Judge, judge_lines
from lm_interpolation.study.judged import describe_scorer
from lm_interpolation.study.leak_plan import weights_from
from lm_interpolation.study.scorers import study_judges
from lm_interpolation.tables.tables import read_table
from lm_interpolation.texts.steering import (
    Measured,
    OpenStudy,
    Place,
    describe_position,
    describe_sweep_of,
    formula,
    is_outside,
    located,
    measured,
    show_coordinates,
)

_TEMPLATES = WORKFLOW / "report"


def model_card(study: OpenStudy, place: Place, folders: Mapping[str, Path], name: str) -> str:
    """The card (Markdown with YAML front matter) of the model at ``place`` in the space of weights.

    ``folders`` are the folders of the models combined in the point, ``name`` is the name of the exported folder. Scores
    come from the study's table; where there are none, the card says why.
    """
    config = study.config
    first = Checkpoint.open(next(iter(folders.values())))
    lineage = _lineage(config, study.models(place.point))
    roots = [config["models"][model]["start"].get("hub") for model in lineage]
    metadata = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        # Only models on the hub: a model that the study trains from scratch has no id there.
        base_model=list(dict.fromkeys(root for root in roots if root)) or None,
        tags=["text-generation", "merge", "lm-interpolation", "arxiv:2211.12092"],
    )
    coefficients = dict(place.point.coefficients)
    found = measured(study, place)
    corpora = dict.fromkeys(
        config["models"][model]["data"]["corpus"] for model in lineage if "data" in config["models"][model]
    )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "row": table_row}
    return environment.get_template("model_card.md.jinja").render(
        metadata=metadata.to_yaml(),
        title=f"{study.name}: {place.title}",
        name=name,
        study=study.name,
        formula=formula(place.point),
        sweep=describe_sweep_of(study, place),
        coordinates=show_coordinates(place.coordinates),
        position=describe_position(study, place),
        trained=place.point.single is not None,
        method=_method(study, place),
        outside=is_outside(located(study, place)) and not (found is not None and found.here),
        parents=[
            {
                "name": model,
                "coefficient": format_decimal(coefficients[model]) if model in coefficients else "",
                "origin": _origin(config, model),
            }
            for model in lineage
        ],
        corpora=[describe_entry(corpus, config["corpora"][corpus]) for corpus in corpora],
        architecture=first.config["model_type"],
        sampling=study.generation,
        **_scores(study, place),
    )


def _method(study: OpenStudy, place: Place) -> dict[str, str] | None:
    """The method of a point in words: its name, its declaration, and the values that were chosen."""
    point = place.point
    if not point.method:
        return None
    entry = study.config["methods"][point.method]
    return {
        "name": point.method,
        "entry": describe_entry(point.method, {key: value for key, value in entry.items() if value != []}),
        "chosen": ", ".join(f"{name} = {format_decimal(value)}" for name, value in point.values),
        "base": str(entry.get("base", ZERO)),
    }


def _lineage(config: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    """``models`` and all their ancestors, each once, the nearest first."""
    found = list(models)
    for model in found:
        found += [parent for parent in weights_from(config["models"][model]["start"]) if parent not in found]
    return found


def _origin(config: Mapping[str, Any], name: str) -> str:
    """Where a model's weights come from and what they were trained on, in Markdown."""
    spec = config["models"][name]
    match spec["start"]:
        case {"hub": repository, "revision": revision}:
            text = _on_hub(config, repository, revision)
        case {"directory": directory}:
            text = f"the local folder {plain(directory)}"
        case {"model": parent, "adapter": {"hub": repository, "revision": revision}}:
            text = f"{plain(parent)} with the adapter {_on_hub(config, repository, revision)}"
        case {"model": parent, "adapter": {"directory": directory}}:
            text = f"{plain(parent)} with the adapter in the local folder {plain(directory)}"
        case {"model": parent}:
            text = plain(parent)
        case {"mean": parts}:
            text = f"the mean of {plain(', '.join(parts))}"
        case {"greedy": parts, "loss": loss}:
            texts = f"the {loss['split']} split of {loss['corpus']}"
            text = f"a greedy soup of {plain(', '.join(parts))}, chosen by the loss on {plain(texts)}"
        case {"align": model, "to": target, "permute": kinds}:
            text = f"{plain(model)}, permuted to match {plain(target)} ({plain(', '.join(kinds))})"
        case {"architecture_of": other}:
            text = f"random weights with the architecture of {plain(other)}"
        case start:
            text = plain(f"random weights ({describe_entry('architecture', start['architecture'])})")
    if "gguf_file" in spec["start"]:
        file = plain(spec["start"]["gguf_file"])
        text = f"{file} of {text} (GGUF; what is quantised in it was dequantised to float32)"
    if "data" not in spec:
        return text
    data, training = spec["data"], spec["training"]
    texts = f"the {data['class']} texts of {data['corpus']}" if "class" in data else data["corpus"]
    if "limit" in data:
        texts = f"the first {data['limit']} of {texts}"
    part = ", biases only" if training.get("trainable") == "biases" else ""
    if "lora" in training:
        part = f", {plain(describe_lora(training['lora']))}"
    size = f"{training['batch_size']} × {training['block_length']} tokens"
    return (
        f"{text}, trained on {plain(texts)}: {training['steps']} steps of {size}, "
        f"learning rate {training['learning_rate']}{part}, seed {training['seed']}"
    )


def _on_hub(config: Mapping[str, Any], repository: str, revision: str) -> str:
    """A repository of a model or an adapter, in Markdown."""
    commits = {(entry["id"], entry["revision"]): entry["commit"] for entry in hub_commits(config)}
    commit = commits[repository, revision]
    exact = f", commit {commit}" if commit and commit != revision else ""
    address = f"https://huggingface.co/{urllib.parse.quote(repository)}"
    return f"[{plain(repository)}]({address}), revision {plain(revision)}{exact}"


def _scores(study: OpenStudy, place: Place) -> dict[str, Any]:
    """The values for the template's section on scores."""
    found = measured(study, place)
    if found is None:
        return {"scores": [], "no_scores": describe_position(study, place)}
    path = study.results / "tables" / f"{found.sweep.name}.csv"
    if not path.is_file():
        return {"scores": [], "no_scores": f"the study's table {path} has not been built"}
    table = read_table(path)
    lacking = sorted({entry.point.id for entry in found.entries} - set(table["point"]))
    if lacking:
        return {"scores": [], "no_scores": f"the study's table {path} is of another grid, without {lacking[0]}"}
    scorers = study.declared.scorers
    used = [name for name in scorers if name in set(table["scorer"])]
    try:
        judges = study_judges(study.declared, study.results, used)
        quality = judge_lines(judges)
    except UserError as error:
        judges, quality = {}, [f"how good the judges are is not known: {error}"]
    samples = {name: study.declared.samples_of(name) for name in dict.fromkeys(table["prompts"])}
    return {
        "scores": list(_rows(table, found, {name: scorers[name].card_statistics() for name in used}, judges)),
        "here": found.here,
        "measured_on": found.sweep.name,
        "neighbours": "; ".join(show_coordinates(entry.coordinates) for entry in found.entries),
        "table": f"tables/{found.sweep.name}.csv",
        "facts": [describe_sampling(study.config["generation"], samples, None)]
        + [describe_scorer(study.declared, name, found.sweep.prompts) for name in used]
        + quality,
    }


def _rows(
    table: pd.DataFrame, found: Measured, shown: Mapping[str, Sequence[str]], judges: Mapping[str, Judge]
) -> Iterator[list[str]]:
    """Rows of cells, starting with the titles: a row for each point and set of prompts, a column for each statistic.

    ``shown`` names the statistics of each scorer to include; the table has others, too.
    """
    cells: dict[tuple[str, ...], dict] = {
        tuple(row[key] for key in ("point", "prompts", "scorer", "statistic")): row for row in table.to_dict("records")
    }
    statistics = dict.fromkeys(key[2:] for key in cells if key[3] in shown[key[2]])
    yield ["point", "prompts", "texts", *(_title(judges, *statistic) for statistic in statistics)]
    for entry in found.entries:
        for prompts in dict.fromkeys(table["prompts"]):
            rows = [cells[entry.point.id, prompts, *statistic] for statistic in statistics]
            texts = max(row["n_texts"] for row in rows)
            yield [show_coordinates(entry.coordinates), prompts, str(texts), *map(_cell, rows)]


def _title(judges: Mapping[str, Judge], scorer: str, statistic: str) -> str:
    words = statistic.replace("_", " ")
    mark = f" ({MARK})" if scorer in judges and judges[scorer].is_weak(statistic) else ""
    return (words if words.startswith(scorer) else f"{scorer} {words}") + mark


def _cell(row: Mapping[str, Any]) -> str:
    if math.isnan(row["estimate"]):
        return "–"
    return f"{row['estimate']:.3g}" + ("" if math.isnan(row["low"]) else f" [{row['low']:.3g}, {row['high']:.3g}]")
