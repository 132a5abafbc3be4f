"""The plan for the texts beside figures and tables, and for the front page of the report."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lm_interpolation.pages.descriptions import describe_search
from lm_interpolation.pages.facts import describe_sampling, describe_sweep
from lm_interpolation.study.judged import describe_scorer, scored_sets
from lm_interpolation.study.kinds.tables import SEARCH_TABLE, Table, sweep_table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.figures.base import Figure
    from lm_interpolation.study.study import Study

OTHER_SECTION = "Other results"
"""Category, in the report, of what belongs to no section of the paper."""

TABLE_CAPTION = "tables/table_caption.py"
"""The script that writes the text beside a table from which alone no figure is drawn."""


def figure_inputs(study: "Study", figure: str) -> dict[str, list[str]]:
    """The tables behind a figure, the metrics of its judges, and folders with the special tokens of its models."""
    return {
        "tables": study.declared.figures[figure].tables_behind(study),
        "judges": study.judge_metrics(_scorers(study, figure)),
        "tokenizers": [folder for _, folder in _figure_tokens(study, figure)],
    }


def figure_settings(study: "Study", figure: str) -> dict[str, Any]:
    """Settings of the text beside a figure; ``facts`` are lines on what this study did."""
    spec, scorers = study.declared.figures[figure], _scorers(study, figure)
    behind = spec.analyses_behind()
    analyses = [name for name in study.config["analyses"] if name in behind]
    sweeps = spec.sweeps_behind(study.declared)
    return {
        "drawn": spec.drawn(study),
        "text": {
            "words": {"title": spec.title, "caption": spec.caption, "paper": spec.paper},
            # About texts if the figure shows any.
            "facts": facts(study, sweeps, scorers, _prompts(study, sweeps) if scorers else [], analyses)
            + spec.facts(study),
            "judges": study.judge_settings(scorers),
            "tokens": _figure_tokens(study, figure),
        },
    }


def table_script(study: "Study", table: str) -> str:
    """The script that writes the text beside a table, with the findings of a figure drawn from this table alone."""
    figure = _drawn_alone(study, table)
    return TABLE_CAPTION if figure is None else str(figure.TABLE_CAPTION)


def table_inputs(study: "Study", table: str) -> dict[str, Any]:
    """The table, how good its judges are, and folders with the special tokens of its models."""
    return {
        "table": study.table(table),
        "judges": study.judge_metrics(_table_scorers(study, table)),
        "tokenizers": [folder for _, folder in _table_tokens(study, table)],
    }


def table_settings(study: "Study", table: str) -> dict[str, Any]:
    """Settings of the text beside a table; ``facts`` are lines on what this study did."""
    words, judged, sweeps = _table_words(study, table), _table_scorers(study, table), _table_sweeps(study, table)
    coordinates = list(dict.fromkeys(name for sweep in sweeps for name in study.sweeps[sweep].coordinates))
    text = {
        "row": words.row,
        "columns": list(words.meanings(coordinates, sweeps)),
        "facts": _table_facts(study, table),
        "judges": study.judge_settings(judged),
        "tokens": _table_tokens(study, table),
        "figures": figures_behind(study, table),
    }
    figure = _drawn_alone(study, table)
    return {"text": text} if figure is None else {"drawn": figure.drawn(study), "text": text}


def _table_facts(study: "Study", table: str) -> list[str]:
    if table in study.config["searches"]:
        return [describe_search(table, study.config["searches"][table])]
    sweeps, judged = _table_sweeps(study, table), _table_scorers(study, table)
    if table not in study.table_of_analysis:
        return facts(study, sweeps, judged, _prompts(study, sweeps), [])
    name, _ = study.table_of_analysis[table]
    analysis = study.analysis(name)
    texts = analysis.prompts_behind(study.declared) if analysis.ABOUT_TEXTS else []
    return facts(study, sweeps, judged, texts, [name])


def _table_words(study: "Study", table: str) -> Table:
    if table in study.table_of_analysis:
        name, suffix = study.table_of_analysis[table]
        return study.analysis(name).TABLES[suffix]
    if table in study.config["searches"]:
        return SEARCH_TABLE
    return sweep_table(study.scorers[name] for name in _table_scorers(study, table))


def _table_sweeps(study: "Study", table: str) -> list[str]:
    """Names of the sweeps that a table is about."""
    if table in study.table_of_analysis:
        name, _ = study.table_of_analysis[table]
        return study.analysis(name).sweeps_behind(study.declared)
    return [] if table in study.config["searches"] else [table]


def _table_scorers(study: "Study", table: str) -> list[str]:
    """Names of the scorers whose statistics stand in a table."""
    if table in study.table_of_analysis:
        name, _ = study.table_of_analysis[table]
        return study.analysis(name).scorers_behind(study.declared)
    return [] if table in study.config["searches"] else study.declared.scorers_of(table)


def _table_tokens(study: "Study", table: str) -> list[tuple[str, str]]:
    return _tokens(study, _table_sweeps(study, table), _table_scorers(study, table))


def _drawn_alone(study: "Study", table: str) -> "Figure | None":
    """The first figure that is drawn from this table and no other; None if there is none."""
    for figure in study.declared.figures.values():
        if figure.TABLE_CAPTION is not None and figure.tables_behind(study) == [study.table(table)]:
            return figure
    return None


def overview_settings(study: "Study") -> dict[str, Any]:
    """Settings of the front page of the report, apart from tables and verdicts."""
    scored = study.scored_sweeps()
    # A point shared by two sweeps in the same space counts once.
    points = {(study.sweeps[name].space, entry.point) for name in scored for entry in study.sweeps[name].points}
    return {
        "study": study.name,
        # In the order of ``sweep_tables``.
        "spaces": [study.sweeps[name].space for name in scored],
        "points": len(points),
        "ensembles": sum(space == "logits" for space, _ in points),
        "facts": facts(study, list(study.sweeps), study.config["scorers"], _prompts(study, scored), []),
        "judges": study.judge_settings(study.config["scorers"]),
    }


def section(study: "Study", figure: str) -> str:
    """Category of a figure in the report."""
    return " ".join(study.declared.figures[figure].section.split()) or OTHER_SECTION


def table_section(study: "Study", table: str) -> str:
    """Category of a table in the report: the category of the first figure that shows it."""
    figures = figures_behind(study, table)
    return section(study, figures[0]) if figures else OTHER_SECTION


def figures_behind(study: "Study", table: str) -> list[str]:
    """Names of the figures drawn from a table, or from an analysis that uses its losses."""
    path, found = study.table(table), []
    for name, figure in study.declared.figures.items():
        through = (study.analysis(other).analyses_behind() for other in figure.analyses_behind())
        if path in figure.tables_behind(study) or any(table in names for names in through):
            found.append(name)
    return found


def facts(
    study: "Study", sweeps: Sequence[str], scorers: Collection[str], texts: Sequence[str], analyses: Sequence[str]
) -> list[str]:
    """Lines on sweeps, scorers and analyses, and on how the texts of the prompt sets ``texts`` are sampled, if any."""
    found = [describe_sweep(study.sweeps[name], study.config["sweeps"][name], bool(texts)) for name in sweeps]
    if texts and not analyses:
        # An analysis may generate its own texts along a sweep that has none.
        found = [
            fact if study.sweeps[name].prompts else f"{fact}; no texts"
            for name, fact in zip(sweeps, found, strict=True)
        ]
    if texts:
        found.append(_sampling(study, sweeps, texts))
    found += [
        describe_scorer(study.declared, name, scored_sets(study.declared, name, sweeps))
        for name in study.scorers
        if name in scorers
    ]
    lower = {"texts": study.config["generation"]["precision"]} if texts else {}
    lower |= {name: study.scorers[name].judge_precision() for name in sorted(scorers)}
    found += [f"{what} in {value}, our reading" for what, value in lower.items() if value != "fp32"]
    return found + [study.analysis(name).describe(name) for name in analyses]


def sampling(study: "Study", sweeps: Iterable[str]) -> str:
    """One line on how texts along these sweeps, which have some, are sampled."""
    names = list(sweeps)
    return _sampling(study, names, _prompts(study, names))


def _sampling(study: "Study", sweeps: Iterable[str], prompts: Iterable[str]) -> str:
    """One line on how the texts of prompt sets along these sweeps are sampled."""
    samples = {name: study.declared.samples_of(name) for name in prompts}
    return describe_sampling(study.config["generation"], samples, _nucleus(study, sweeps))


def _nucleus(study: "Study", sweeps: Iterable[str]) -> str | None:
    """Whose nucleus ensembles along these sweeps have, in words; None if it is their own, as it is by default."""
    along: dict[str, list[str]] = {}
    chosen = False
    for name in sweeps:
        sweep = study.sweeps[name]
        if sweep.space == "logits":
            nucleus = study.declared.nucleus_of(sweep.points[0].point)
            along.setdefault("the ensemble itself" if nucleus is None else nucleus, []).append(name)
            chosen |= nucleus is not None or sweep.method is not None
    if not chosen:
        return None
    if len(along) == 1:
        return next(iter(along))
    return ", and of ".join(f"{whose} along {', '.join(names)}" for whose, names in along.items())


def _prompts(study: "Study", sweeps: Iterable[str]) -> list[str]:
    """Names of the prompt sets that sweeps have texts of, each once."""
    return list(dict.fromkeys(prompts for name in sweeps for prompts in study.sweeps[name].prompts))


def _scorers(study: "Study", figure: str) -> set[str]:
    """Names of the scorers whose statistics a figure shows."""
    return study.declared.figures[figure].scorers_behind(study.declared)


def _figure_tokens(study: "Study", figure: str) -> list[tuple[str, str]]:
    sweeps = study.declared.figures[figure].sweeps_behind(study.declared)
    return _tokens(study, sweeps, _scorers(study, figure))


def _tokens(study: "Study", sweeps: Iterable[str], scorers: Collection[str]) -> list[tuple[str, str]]:
    """(names of models, folder with their special tokens) of sweeps, and of scorers whose judge is a language model."""
    models = study.declared.models_behind(model for name in sweeps for model in study.sweeps[name].models)
    judges = [scorer.judge() for name, scorer in study.scorers.items() if name in scorers]
    models += [judge for judge in judges if judge and study.config["models"][judge]["task"] == "language-model"]
    found: dict[str, list[str]] = {}
    for model in dict.fromkeys(models):
        found.setdefault(study.models.tokenizer_folder(model), []).append(model)
    return [(", ".join(names), folder) for folder, names in found.items()]
