"""Which texts of a study to compare for leaks, from its configuration alone; ``data.leaks`` reads the texts."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_interpolation.study.kinds.corpora.base import Corpora

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


def leak_plan(study: "Study") -> dict[str, Any]:
    """Which texts of a study are compared to find those that leak: see ``plan``."""
    combined = {name: study.declared.models_behind(sweep.models) for name, sweep in study.sweeps.items()}
    measured = {
        name: [{**texts._asdict(), "models": found.measured_models(study)} for texts in held_out]
        for name, found in study.declared.analyses.items()
        if (held_out := found.held_out(study.declared))
    }
    for name in study.models.derived():
        start = study.config["models"][name]["start"]
        if (loss := start.get("loss")) is not None:
            texts = {
                "corpus": loss["corpus"],
                "split": loss["split"],
                "classes": [loss["class"]] if "class" in loss else None,
                "limit": loss.get("limit"),
            }
            measured[f"models.{name}"] = [{**texts, "models": start["greedy"]}]
    examined = {name: study.declared.models[name] for name in study.models.examined()}
    exams = {
        name: {"corpus": exam.corpus_of(model), "classes": exam.classes_of(model, study.declared)}
        for name, model in examined.items()
        if (exam := model.exam) is not None
    }
    return plan(study.config, study.corpora, combined, measured, exams)


def leak_inputs(study: "Study") -> list[str]:
    """The splits that are compared, in the order of the plan."""
    return [study.path("corpora", corpus, f"{split}.parquet") for corpus, split in leak_plan(study)["splits"]]


def plan(
    config: Mapping[str, Any],
    corpora: Corpora,
    combined: Mapping[str, Sequence[str]],
    measured: Mapping[str, Sequence[Mapping[str, Any]]],
    exams: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The comparisons for the study ``config``; ``combined`` names the models of each sweep.

    ``measured`` holds, by name, what analyses and greedy soups measure: losses of ``models`` on texts of a corpus, with
    ``corpus, split, classes, limit`` as below; ``exams`` holds ``corpus`` and ``classes`` of the exams of judges.

    Returns ``splits``, the pairs (corpus, split) to read; ``comparisons``, each ``{kind, texts, what, seen, where}``,
    which asks whether ``texts`` (described by ``what``) occur among ``seen`` (described by ``where``); ``configured``,
    lines on leaks that the configuration alone reveals; and ``unknown``, lines on what cannot be compared. Texts are
    ``{corpus, split, classes, limit}``: the first ``limit`` (None: all) of each of these classes (None: all).
    """
    models = config["models"]
    ends = list(dict.fromkeys(itertools.chain.from_iterable(combined.values())))
    judges: dict[str, list[str]] = {}
    for scorer, spec in config["scorers"].items():
        if "model" in spec:
            judges.setdefault(spec["model"], []).append(scorer)
    streams = {name for name, corpus in corpora.items() if corpus.is_stream()}

    used = {texts["corpus"] for several in measured.values() for texts in several}
    used |= {model["data"]["corpus"] for model in models.values() if "data" in model}
    comparisons = [
        *_between_splits(name for name in corpora if name in used),
        *_of_judges(models, judges, ends, exams),
        *_of_losses(models, measured),
    ]
    # For a stream only the dev split is stored.
    comparisons = [
        entry
        for entry in comparisons
        if all(part["corpus"] not in streams or part["split"] == "dev" for part in (entry["texts"], entry["seen"]))
    ]
    configured = []
    for judge, scorers in judges.items():
        if judge in lineage(models, ends):
            combine = "it, too" if judge in ends else "models that were trained from it"
            configured.append(f"{judge} is the judge of {_list(scorers)}, and sweeps combine {combine}")
    relevant = lineage(models, [*ends, *judges, *exams])
    unknown = [
        f"{source[0]} is a stream, whose texts cannot be compared; {_list(learners)} learnt from it"
        for source, learners in _taught(models, relevant).items()
        if source[0] in streams
    ]
    starts = {name: models[name]["start"] for name in relevant if "data" not in models[name]}
    imported = [name for name, start in starts.items() if "adapter" in start or not weights_from(start)]
    if imported:
        unknown.append(f"what imported models learnt from is not known: {', '.join(imported)}")
    read = {(part["corpus"], part["split"]) for entry in comparisons for part in (entry["texts"], entry["seen"])}
    return {"splits": sorted(read), "comparisons": comparisons, "configured": configured, "unknown": unknown}


def _between_splits(corpora: Iterable[str]) -> Iterator[dict[str, Any]]:
    for corpus, (first, split) in itertools.product(corpora, itertools.combinations(("train", "dev", "test"), 2)):
        yield {
            "kind": "splits",
            "texts": _texts(corpus, split=split),
            "what": f"in the {split} split of {corpus}",
            "seen": _texts(corpus, split=first),
            "where": f"in its {first} split",
        }


def _of_judges(
    models: Mapping[str, Any],
    judges: Iterable[str],
    ends: Sequence[str],
    exams: Mapping[str, Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    for judge in judges:
        data = models[judge].get("data")
        if data is not None:
            learnt = f"that {judge} learnt from ({', '.join(_source(data))})"
            for source, learners in _taught(models, ends).items():
                # Texts that a judge shares with itself are no finding.
                others = [name for name in learners if name != judge]
                if others:
                    yield _compare("judge", _texts(*_source(data)), learnt, source, others)
        if data is not None and models[judge]["task"] == "classifier" and judge not in exams:
            measured = f"that the accuracy of {judge} is measured on ({data['corpus']}, test)"
            for source, learners in _taught(models, lineage(models, [judge])[1:]).items():
                yield _compare("accuracy", _texts(data["corpus"], split="test"), measured, source, learners)
    for judge, exam in exams.items():
        texts = _texts(exam["corpus"], *exam["classes"], split="test")
        # The splits of the corpus that it learnt from are compared with each other anyway.
        own = models[judge].get("data", {}).get("corpus") == exam["corpus"]
        for source, learners in _taught(models, lineage(models, [judge])[own:]).items():
            yield _compare("exam", texts, f"of the exam of {judge} ({exam['corpus']}, test)", source, learners)


def _of_losses(
    models: Mapping[str, Any], measured: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[dict[str, Any]]:
    for name, found in ((name, texts) for name, several in measured.items() for texts in several):
        texts = _texts(found["corpus"], *(found["classes"] or []), split=found["split"], limit=found["limit"])
        for source, learners in _taught(models, found["models"]).items():
            what = f"whose losses {name} measures ({found['corpus']}, {found['split']})"
            yield _compare("loss", texts, what, source, learners)


def _compare(
    kind: str, texts: Mapping[str, Any], what: str, source: Sequence[str], learners: Sequence[str]
) -> dict[str, Any]:
    """Compare ``texts`` with the training texts of the ``learners``."""
    where = f"that {_list(learners)} learnt from ({', '.join(source)})"
    return {"kind": kind, "texts": texts, "what": what, "seen": _texts(*source), "where": where}


def lineage(models: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The models with these names, each followed by its ancestors; no model occurs twice."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name not in found:
            found[name] = None
            for parent in weights_from(models[name]["start"]):
                add(parent)

    for name in names:
        add(name)
    return list(found)


def weights_from(start: Mapping[str, Any]) -> list[str]:
    """Names of the models whose weights a model with the resolved origin ``start`` has, before it is trained."""
    for key in ("model", "align"):
        if key in start:
            return [start[key]]
    return list(start.get("mean") or start.get("greedy") or [])


def _taught(models: Mapping[str, Any], names: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """(corpus,) or (corpus, class) to the models trained on it, among these models and their ancestors."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in lineage(models, names):
        if "data" in models[name]:
            found.setdefault(_source(models[name]["data"]), []).append(name)
    return found


def _source(data: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(data[key] for key in ("corpus", "class") if key in data)


def _texts(corpus: str, *classes: str, split: str = "train", limit: int | None = None) -> dict[str, Any]:
    return {"corpus": corpus, "split": split, "classes": list(classes) or None, "limit": limit}


def _list(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
