"""The explorer: one HTML page for reading the texts and scores of a study point by point.

The page contains all that it shows and loads nothing else. It has only some of the texts: at every point the same
prompts and the first continuations of each, as many as `TEXTS` allows, so that even a plane of 400 points opens fast.
Text and score files are read one at a time, and only the rows shown are kept.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from plotly.offline import get_plotlyjs

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.figures.colours import ABOVE, CENTRED, PLAIN, colour_scale, colour_stops
from lm_interpolation.figures.naming import model_label, prompts_label, scaled_label
from lm_interpolation.jobs.runtime import Progress, UserError, atomic_path
from lm_interpolation.points.algebra import Sweep, format_decimal, grid_values, line_owner, sweep_from_settings
from lm_interpolation.scores.judges import Judge, marked, read_judges
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.scores.statistic_values import text_values
from lm_interpolation.tables.tables import read_table

PathLike = str | os.PathLike[str]

TEXTS = 20_000
"""Texts on a page, all prompt sets together: about 3 MB with 30 tokens each."""

PROMPTS = 12
"""Most prompts of a set on a page."""

SAMPLES = 5
"""Most continuations of a prompt at a point on a page."""


@dataclass(frozen=True)
class Shown:
    """The part of a prompt set on the page: the prompts ``rows`` and the first ``samples`` continuations of each."""

    rows: tuple[int, ...]
    samples: int


def share_budget(demands: Mapping[str, int], budget: int = TEXTS) -> dict[str, int]:
    """Divide ``budget`` among ``demands``: small ones are met, the others share the rest equally."""
    shares = {}
    for done, name in enumerate(sorted(demands, key=lambda name: demands[name])):
        shares[name] = min(demands[name], budget // (len(demands) - done))
        budget -= shares[name]
    return shares


def thin(rows: Sequence[int], samples: int, points: int, budget: int) -> Shown:
    """Evenly spaced prompts from ``rows`` and a number of samples that give ``points`` points ``budget`` texts in all.

    If the set is large enough, there are at least twice as many prompts as samples of each. A point has at least one
    text, whatever the budget.
    """
    texts = max(1, budget // points)
    most = min(samples, SAMPLES, texts)
    kept = max(count for count in range(1, most + 1) if count == 1 or texts // count >= min(2 * count, len(rows)))
    prompts = min(len(rows), PROMPTS, texts // kept)
    return Shown(tuple(rows[index * len(rows) // prompts] for index in range(prompts)), kept)


def choose_texts(
    sweeps: Iterable[Sweep], prompts: Mapping[str, pd.DataFrame], samples: Mapping[str, int], budget: int = TEXTS
) -> dict[str, Shown]:
    """The part of each prompt set that is shown: the same along all sweeps, so that sweeps can be compared.

    ``prompts`` holds the prompts (column ``row``) of every set that a sweep generates from, ``samples`` the number of
    continuations of each.
    """
    points: dict[str, set[tuple[str, str]]] = {}
    for sweep in sweeps:
        for name in sweep.prompts:
            points.setdefault(name, set()).update((sweep.space, entry.point.id) for entry in sweep.points)
    most = {name: min(len(prompts[name]), PROMPTS) * min(samples[name], SAMPLES) for name in points}
    shares = share_budget({name: len(found) * most[name] for name, found in points.items()}, budget)
    return {name: thin(list(prompts[name]["row"]), samples[name], len(points[name]), shares[name]) for name in points}


def thin_rows(frame: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """The rows of a text or score file (columns ``row``, ``sample``, ...) that are shown, in order."""
    kept = frame[frame["row"].isin(shown.rows) & (frame["sample"] < shown.samples)]
    order = pd.Series(range(len(shown.rows)), index=pd.Index(shown.rows))
    return kept.assign(order=kept["row"].map(order)).sort_values(["order", "sample"]).drop(columns="order")


def nested(frame: pd.DataFrame, column: str) -> list[list[Any]]:
    """``column`` of ``thin_rows``, a list per prompt; None where there is no value."""
    values = frame[column].astype(object).where(frame[column].notna(), None)
    return [list(group) for _, group in values.groupby(frame["row"], sort=False)]


def point_texts(path: PathLike, shown: Shown) -> list[list[str]]:
    """The shown continuations in the text file of a point, a list per prompt.

    Raises ``UserError`` if the file lacks one of them, or is damaged.
    """
    frame = thin_rows(read_parquet(path, ["row", "sample", "continuation"]).to_pandas(), shown)
    _check_complete(frame, shown, path)
    return nested(frame, "continuation")


def line_scores(path: PathLike, shown: Shown, statistic: Statistic) -> dict[str, list[list[float | None]]]:
    """Map each point to the scores of its shown texts, from a score file: a list per prompt, with 3 decimals.

    ``statistic`` is the mean of these scores. A text without a score has None. Raises ``UserError`` if the file is
    damaged or lacks a shown text or a column of the statistic.
    """
    table = read_parquet(path)
    kept = pc.and_(pc.is_in(table["row"], pa.array(shown.rows)), pc.less(table["sample"], shown.samples))
    frame = table.filter(kept).to_pandas()
    frame["score"] = text_values(frame, Path(path).stem, statistic).round(3)
    scores = {}
    for point, group in frame.groupby("point", sort=False, observed=True):
        _check_complete(group, shown, path)
        scores[str(point)] = nested(thin_rows(group, shown), "score")
    return scores


def _check_complete(frame: pd.DataFrame, shown: Shown, path: PathLike) -> None:
    if len(frame) != len(shown.rows) * shown.samples:
        raise UserError(f"{path}: does not have {shown.samples} continuations of each prompt; delete it and run again")


def sweep_view(
    sweep: Sweep, entry: Mapping[str, Any], table: pd.DataFrame, judges: Mapping[str, Judge]
) -> dict[str, Any]:
    """A sweep as the page draws it. ``entry`` is an entry of ``study.explorer.settings``, ``table`` its table.

    ``judges`` has the judge of each scorer that is a classifier; labels mark the statistics of weak judges. Returns
    ``name``, ``label``, ``formula``, ``space``, ``prompts``, ``text_scorers`` (names of the scorers that give each text
    a score; the first colours them), ``panels`` (the statistics), ``markers`` (``label``, and ``at``, the coordinates),
    ``coordinates`` (``name``, ``label``, and the ``values`` of the grid, ascending), ``points`` (``id`` and ``at``) and
    ``scores``: for each prompt set, panel and point estimate, low, high, and the number of texts without a score; None
    for what is missing.
    Of a plane also ``colours``: for each prompt set and panel what ``panel_colours`` returns. The points of a line are
    all on its grid; those of a plane may lie beside it.
    """
    axes = [
        [format_decimal(value) for value in grid_values(entry["sweep"]["spec"]["grid"][coordinate])]
        if len(sweep.coordinates) > 1
        else [format_decimal(point.coordinates[0][1]) for point in sweep.points]
        for coordinate in sweep.coordinates
    ]
    ids = [point.point.id for point in sweep.points]
    keys = table.set_index(["prompts", "scorer", "statistic"]).sort_index()
    columns = ["estimate", "low", "high", "n_excluded"]
    scores: dict[str, list] = {}
    colours: dict[str, list] = {}
    for prompts in sweep.prompts:
        scores[prompts], colours[prompts] = [], []
        for panel in entry["panels"]:
            rows = keys.loc[[(prompts, panel["scorer"], panel["statistic"])]]
            found = rows.drop_duplicates("point").set_index("point")[columns].loc[ids]
            scores[prompts].append(found.astype(object).where(found.notna(), None).to_numpy().tolist())
            if len(sweep.coordinates) > 1:
                colours[prompts].append(panel_colours(found, panel))
    return {
        "name": sweep.name,
        "space": sweep.space,
        "prompts": list(sweep.prompts),
        **{key: entry[key] for key in ("label", "formula", "text_scorers")},
        "panels": [_labelled(marked(panel, judges)) for panel in entry["panels"]],
        "markers": [
            {"label": marker["label"], "at": [marker["at"][name] for name in sweep.coordinates]}
            for marker in entry["markers"]
        ],
        "coordinates": [
            {"name": name, "label": label, "values": [float(value) for value in axis]}
            for name, label, axis in zip(sweep.coordinates, entry["coordinate_labels"], axes, strict=True)
        ],
        "points": [
            {"id": shown, "at": [float(value) for _, value in point.coordinates]}
            for shown, point in zip(_shown_ids(sweep), sweep.points, strict=True)
        ],
        "scores": scores,
        "colours": colours,
    }


def _shown_ids(sweep: Sweep) -> Iterator[str]:
    """Model=coefficient[+...] of each point, as the page takes it apart; a method is noted behind the last model.

    So a point under a method counts as no single model, and the base, which all settings share at weight 0, only once.
    """
    seen = set()
    for entry in sweep.points:
        names, _, value = replace(entry.point, method="", values=()).id.rpartition("=")
        again = entry.point in seen
        seen.add(entry.point)
        note = f" (under {sweep.method.name})" if sweep.method and (entry.point.method or again) else ""
        yield f"{names}{note}={value}"


def _labelled(panel: Mapping[str, Any]) -> dict[str, Any]:
    """The panel with its label, as figures write it, under ``axis``."""
    return {**panel, "axis": scaled_label(panel["label"], panel["scale"])}


def panel_colours(data: pd.DataFrame, panel: Mapping[str, Any]) -> dict[str, Any] | None:
    """The colour scale of a panel of a plane, the same as in figures; None if no point has a value.

    ``data`` has the columns ``estimate``, ``low`` and ``high``. Returns ``map``, ``low``, ``high``, ``log``, ``above``
    (whether values lie above ``high``, a limit), ``bracket`` (the median interval, as two shares of the scale, or
    None), and ``note``, a line on it. A limit with no value below it is ignored, since values depend on the prompts.
    """
    known = data["estimate"].dropna()
    if known.empty:
        return None
    limit = panel.get("limit")
    fitting = limit if limit is not None and limit > known.min() else None
    scale = colour_scale(data[["estimate", "low", "high"]], panel["scale"], fitting, panel.get("centre"))
    told = {key: getattr(scale, key) for key in ("map", "low", "high", "log", "above", "bracket")}
    return {**told, "note": scale.describe_interval()}


def page_data(
    inputs: Mapping[str, Sequence[PathLike]],
    *,
    study: str,
    samples: Mapping[str, int],
    sampling: str,
    spaces: Mapping[str, str],
    sweeps: Sequence[Mapping[str, Any]],
    scorers: Mapping[str, Mapping[str, Any]],
    judges: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """All that the page shows. ``inputs`` are its files; the other arguments come from ``study.explorer.settings``.

    Returns ``study``, ``sampling``, ``sweeps`` (see ``sweep_view``), ``prompts`` (set to ``rows``, ``texts``, and
    ``total``, ``samples``, ``shown`` numbers of prompts, of continuations, and of shown ones), ``texts[space][prompts]
    [point]`` and ``scores[scorer][space][prompts][point]`` (lists per prompt, of continuations or of their scores),
    ``maps`` (colour map to its stops), ``above`` (colour of what lies above a limit), ``names`` (what the page calls
    ``models`` and ``prompts``, by name), ``scorers`` (those of single texts: ``description``, and the ``range`` of the
    scores), ``judges`` (of each scorer that is a classifier: ``model``, ``quality``, a line on how good it is, and
    whether it is ``weak``), and ``judged`` (of each scorer that does not score all texts: prompt set to the number of
    continuations of each prompt, the first ones, that it scores; lists of its scores end there).

    Raises ``UserError`` if there is no sweep, or if a file is damaged or lacks a text.
    """
    if not sweeps:
        raise UserError("config: sweeps: none generates texts, so there is nothing to explore; give one prompts")
    lines = [sweep_from_settings(entry["sweep"]) for entry in sweeps]
    prompts = {Path(path).stem: read_parquet(path).to_pandas() for path in inputs["prompts"]}
    shown = choose_texts(lines, prompts, samples)
    measured = read_judges(judges, inputs["judges"])
    views = [
        sweep_view(sweep, entry, read_table(path), measured)
        for sweep, entry, path in zip(lines, sweeps, inputs["tables"], strict=True)
    ]
    progress = Progress("explorer", len(inputs["texts"]) + len(inputs["scores"]), "files")
    texts: dict[str, dict[str, dict[str, list]]] = {}
    scores: dict[str, dict[str, dict[str, dict[str, list]]]] = {}
    # texts/<space>/<prompts>/<point>.parquet; a point's name may contain a dot.
    for done, path in enumerate(map(Path, inputs["texts"]), 1):
        space, name = path.parts[-3:-1]
        point = path.name.removesuffix(".parquet")
        texts.setdefault(space, {}).setdefault(name, {})[point] = point_texts(path, shown[name])
        progress.update(done)
    # scores/<prompts>/<line>/<scorer>.parquet; a sweep may read points from the line of another.
    for done, path in enumerate(map(Path, inputs["scores"]), len(inputs["texts"]) + 1):
        name, line, scorer = path.parts[-3], path.parts[-2], path.stem
        statistic = Statistic(**scorers[scorer]["statistic"])
        of_set = scores.setdefault(scorer, {}).setdefault(spaces[line_owner(line)], {})
        scored = judged.get(scorer, {}).get(name, shown[name].samples)
        first = replace(shown[name], samples=min(shown[name].samples, scored))
        of_set.setdefault(name, {}).update(line_scores(path, first, statistic))
        progress.update(done)
    return {
        "study": study,
        "sampling": sampling,
        "sweeps": views,
        "prompts": {
            name: {
                "rows": list(shown[name].rows),
                "texts": list(frame.set_index("row").loc[list(shown[name].rows), "text"]),
                "total": len(frame),
                "samples": samples[name],
                "shown": shown[name].samples,
            }
            for name, frame in prompts.items()
        },
        "texts": texts,
        "scores": scores,
        "maps": {name: colour_stops(name) for name in (PLAIN, CENTRED)},
        "above": ABOVE,
        "names": {
            "models": {
                model: model_label(model) for model in dict.fromkeys(m for sweep in lines for m in sweep.models)
            },
            "prompts": {name: prompts_label(name) for name in prompts},
        },
        "scorers": {
            name: {
                "description": spec["description"],
                "range": score_range(spec["range"], scores.get(name, {})),
            }
            for name, spec in scorers.items()
        },
        "judges": {
            name: {"model": judge.model, "quality": judge.describe(), "weak": bool(judge.weaknesses)}
            for name, judge in measured.items()
        },
        "judged": judged,
    }


def score_range(values: Iterable[float], scores: Any) -> list[float]:
    """The scale of a scorer's scores: from the smallest to the largest number in ``values`` and ``scores``."""

    def numbers(nested: Any) -> Iterator[float]:
        for item in nested.values() if isinstance(nested, Mapping) else nested:
            if isinstance(item, Mapping | list):
                yield from numbers(item)
            elif item is not None:
                yield item

    found = [*values, *numbers(scores)]
    return [min(found, default=0), max(found, default=0)]


def write_page(data: Mapping[str, Any], template: PathLike, path: PathLike) -> None:
    """Write the page that shows ``data`` (see ``page_data``) atomically; equal data give equal bytes.

    ``template`` is the page's Jinja template; the files it includes lie beside it.
    """
    loader = jinja2.FileSystemLoader(Path(template).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    # The filter `tojson` escapes what HTML could take for markup. NaN is not valid JSON.
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "allow_nan": False,
        "separators": (",", ":"),
    }
    page = environment.get_template(Path(template).name).render(data=data, plotly=get_plotlyjs())
    with atomic_path(path) as scratch:
        scratch.write_text(page, encoding="utf-8")
