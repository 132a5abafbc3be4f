"""Print continuations at any point of a study's sweeps, on its grid or not: ``lm-interpolation steer --help``.

The models must have been built; they are merged in memory, and nothing is written to disk. Texts go to stdout,
everything else to stderr. Texts match the workflow: at a point of the grid, a prompt of the study (``--prompts``,
``--row``) gives the same texts as in the study.
"""

import json
import math
import os
import sys
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.commands.opening import PointParser, announce, open_study
from lm_interpolation.commands.program import say
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import Progress, UserError, printable
from lm_interpolation.scores.judges import judge_lines
from lm_interpolation.study.kinds.scorers.classifier import Classifier
from lm_interpolation.study.scorers import study_judges
from lm_interpolation.texts.steering import OpenStudy, Place, build_command, check_statistics, find_place, model_folders

# torch takes seconds to import, so the arguments are checked first.
if TYPE_CHECKING:
    import pandas as pd

    from lm_interpolation.texts.language_models import Mixture

EXAMPLES = """\
  lm-interpolation steer --study demo --point alpha=0.7 --prompt "The movie was"
  lm-interpolation steer --point alpha=0 --point alpha=1 --point alpha=3 --prompt "The food" --samples 3
  lm-interpolation steer --sweep plane --point alpha=0.7,beta=-1 --prompt "The hotel"
  lm-interpolation steer --sweep ensemble --point gamma=0.8 --prompt "The hotel"
  lm-interpolation steer --sweep tuco --point alpha=1.5 --prompt "The hotel"
  lm-interpolation steer --point "positive=1.5 negative=-0.5" --prompt - < prompts.txt
  lm-interpolation steer --point "ties density=0.2 positive=1 negative=1" --prompt "The plot was"
  lm-interpolation steer --point alpha=0.75 --prompts neutral --row 3
  lm-interpolation steer --config config/sst.yaml --results /data/sst --point alpha=0.7 --prompt "It is" --json
"""

_BOLD, _DIM, _PLAIN = "\033[1m", "\033[2m", "\033[0m"


def main(arguments: Sequence[str]) -> None:
    """Run the command. Raises ``UserError``."""
    options = _parse(arguments)
    started = time.monotonic()
    study = open_study(options.config, options.study, options.results, options.directory)
    places = [find_place(study, words, options.sweep) for words in options.point]
    rows = _prompts(study, options)
    sampling = _sampling(study, options)
    device = options.device or study.config["device"]
    folders = model_folders(study, [name for place in places for name in _models(study, place)])
    check_statistics(study, [place.point for place in places])
    asked = [] if options.no_score else _judges(study, places, options.scorer)

    announce(study, places)
    say(
        f"sampling {_count(options.samples, 'continuation')} of {_count(len(rows), 'prompt')}"
        f"{'' if len(places) == 1 else f' at each of {len(places)} points'}: at most {sampling['max_new_tokens']} "
        f"tokens, top-p {sampling['top_p']}, seed {sampling['seed']}, on {device}"
    )
    if device == "cuda":
        from lm_interpolation.jobs.leases import lease_gpus

        lease_gpus(1)
    texts = _sample(study, places, folders, rows, sampling, device)
    scorers = [name for name in asked if _score(study, name, texts, device)]
    say(f"{_count(len(texts), 'continuation')} in {time.monotonic() - started:.0f} s")
    (_print_json if options.json else _print)(study, places, texts, scorers)


def _parse(arguments: Sequence[str]) -> Namespace:
    parser = PointParser("steer", "Print continuations at any point of a study's sweeps, merging in memory.", EXAMPLES)
    parser.add_argument(
        "--point",
        action="append",
        required=True,
        metavar="POINT",
        help=(
            "coordinates (alpha=0.7, or alpha=0.7,beta=-1), models (positive=1.5 negative=-0.5), or models under a "
            "method of the study (ties density=0.2 positive=1 negative=1); repeatable"
        ),
    )
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT", help="repeatable; -: one per line from stdin"
    )
    parser.add_argument("--prompts", metavar="NAME", help="a prompt set of the study, instead of texts")
    parser.add_argument(
        "--row", action="append", type=_whole(0), default=[], metavar="N", help="a prompt's row; repeatable"
    )
    parser.add_argument(
        "--samples", type=_whole(1), default=5, metavar="N", help="continuations of a prompt (default: 5)"
    )
    parser.add_argument("--max-new-tokens", type=_whole(1), metavar="N", help="default: the study's, or 30")
    parser.add_argument("--top-p", type=_mass, metavar="P", help="nucleus mass (default: the study's, or 0.9)")
    parser.add_argument("--seed", type=_whole(0), metavar="N", help="default: the study's")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: the study's")
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME",
        help="classifier of the study (default: all that score the sweep); repeatable",
    )
    parser.add_argument("--no-score", action="store_true", help="do not score the continuations")
    parser.add_argument("--json", action="store_true", help="one JSON object per continuation")
    return parser.parse_args(arguments)


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) < 2**63:
            raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return read


def _mass(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")
    return value


def _prompts(study: OpenStudy, options: Namespace) -> list[tuple[int, str]]:
    """(row, text) of the prompts; rows key the random numbers, for the study's own prompt sets as in the workflow."""
    if bool(options.prompts) != bool(options.row) or bool(options.prompt) == bool(options.prompts):
        raise UserError("give prompts: either --prompt TEXT (- for stdin), or --prompts NAME with --row N")
    if options.prompt:
        texts: list[str] = []
        try:
            for given in options.prompt:
                texts += sys.stdin.read().splitlines() if given == "-" else [given]
            "".join(texts).encode()
        except UnicodeError:
            raise UserError("the prompt is not text in UTF-8; convert it") from None
        texts = [text for text in texts if text.strip()]
        if not texts:
            raise UserError("the prompt is empty; give a text to go on from")
        return list(enumerate(texts))
    if options.prompts not in study.config["prompts"]:
        raise UserError(f"{study.file}: no prompts {options.prompts!r}; there are {', '.join(study.config['prompts'])}")
    file = study.results / "prompts" / f"{options.prompts}.parquet"
    if not file.is_file():
        raise UserError(f"no {file}; build the study first, or give the prompt itself with --prompt")
    table = read_parquet(file).to_pydict()
    known = dict(zip(table["row"], table["text"], strict=True))
    for row in options.row:
        if row not in known:
            some = ", ".join(map(str, sorted(known)[:5]))
            raise UserError(f"{file}: has no row {row}; it has {len(known)} rows: {some}{', ...' * (len(known) > 5)}")
    return [(row, known[row]) for row in dict.fromkeys(options.row)]


def _sampling(study: OpenStudy, options: Namespace) -> dict[str, Any]:
    """Arguments of ``generation.Sampling``, from the command line or else from the study."""
    given = {key: getattr(options, key) for key in ("top_p", "max_new_tokens", "samples", "seed")}
    return {key: study.generation[key] if value is None else value for key, value in given.items()}


def _models(study: OpenStudy, place: Place) -> list[str]:
    """Names of the models that a place needs, including the model of the nucleus for an ensemble."""
    if place.space == "logits":
        return study.declared.ensemble_models(place.point)
    return list(study.models(place.point))


def _judges(study: OpenStudy, places: Sequence[Place], names: Sequence[str]) -> list[str]:
    """Names of the classifiers that score: ``names``, or those of the sweeps of the places, or without any the first.

    Those whose judge is not built are left out, with the reason on stderr.
    """
    classifiers = [key for key, scorer in study.declared.scorers.items() if isinstance(scorer, Classifier)]
    for name in names:
        if name not in classifiers:
            there = ", ".join(classifiers)
            raise UserError(f"{study.file}: no classifier {name!r} among the scorers; there are: {there}")
    if not classifiers:
        say("no scores: the study has no classifier")
    scoring = {
        scorer
        for place in places
        if place.sweep is not None and place.sweep.prompts
        for scorer in study.declared.scorers_of(place.sweep.name)
    }
    wanted = list(dict.fromkeys(names)) or [name for name in classifiers if name in scoring] or classifiers[:1]
    found = []
    for name in wanted:
        model = study.config["scorers"][name]["model"]
        if (study.results / "models" / model / "config.json").is_file():
            found.append(name)
        else:
            what = "scores" if len(wanted) == 1 else f"scores of {name}"
            say(f"no {what}: the judge is not there; build with: {build_command(study, [model])}")
    return found


def _sample(
    study: OpenStudy,
    places: Sequence[Place],
    folders: Mapping[str, Path],
    rows: Sequence[tuple[int, str]],
    settings: Mapping[str, Any],
    device: str,
) -> "pd.DataFrame":
    """The columns of ``generation.sample_texts``, ``place`` (index in ``places``) and ``prompt``."""
    import pandas as pd

    from lm_interpolation.jobs.batches import AdaptiveBatches
    from lm_interpolation.texts.generation import Sampling, sample_texts

    sampling = Sampling(**settings)
    prompts = pd.DataFrame(rows, columns=["row", "text"])
    batch_size = study.config["compute"]["batch_size"]["generate"]
    frames = []
    for index, mixture in enumerate(_mixtures(study, places, folders, device)):
        progress = Progress(f"sample {places[index].title}", len(rows) * sampling.samples, "texts")
        texts = sample_texts(mixture, prompts, sampling, AdaptiveBatches(batch_size), progress)
        frames.append(texts.assign(place=index, prompt=texts["row"].map(dict(rows))))
        # Free memory before the models of the next place are loaded.
        del mixture
    return pd.concat(frames, ignore_index=True)


def _mixtures(
    study: OpenStudy, places: Sequence[Place], folders: Mapping[str, Path], device: str
) -> "Iterator[Mixture]":
    """The mixture to sample from at each place; models are loaded once for all places that need them."""
    from transformers.utils import logging

    from lm_interpolation.points.interpolation import WeightSpace
    from lm_interpolation.points.layer_space import LayerSpace
    from lm_interpolation.texts.ensembles import ensemble, load_members
    from lm_interpolation.texts.layer_texts import mixture_in_layers
    from lm_interpolation.texts.mixtures import mixture_at

    logging.disable_progress_bar()
    precision = study.generation["precision"]
    families = {
        space: _families(_models(study, place) for place in places if place.space == space)
        for space in ("weights", "layers", "logits")
    }
    keys = [
        (place.space, next(names for names in families[place.space] if _models(study, place)[0] in names))
        for place in places
    ]
    # Each family stays in memory from its first place to its last.
    last = {key: index for index, key in enumerate(keys)}
    held: dict[tuple[str, tuple[str, ...]], Any] = {}

    def load(family: Sequence[str], space: str) -> Any:
        needed = {name: folders[name] for name in family}
        if space == "logits":
            say(f"loading {_count(len(family), 'model')}, to run side by side")
            return load_members(needed, device, precision)
        if space == "layers":
            say(f"loading {_count(len(family), 'model')}, to run side by side, layer by layer")
            return LayerSpace(needed, device, precision)
        say(f"loading {_count(len(family), 'model')}, to be combined in memory")
        points = [place.point for place in places if place.space == "weights"]
        methods = [method for point in points if (method := study.method(point)) is not None]
        return WeightSpace(needed, device, methods=methods)

    for index, (place, key) in enumerate(zip(places, keys, strict=True)):
        if key not in held:
            held[key] = load(key[1], place.space)
        if place.space == "logits":
            nucleus, experts = study.declared.nucleus_of(place.point), study.declared.experts_of(place.point)
            yield ensemble(place.point, held[key], nucleus, experts)
        elif place.space == "layers":
            yield mixture_in_layers(place.point, held[key])
        else:
            yield mixture_at(place.point, held[key], precision)
        if last[key] == index:
            del held[key]


def _families(groups: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Connected components of names that share a group: models that some place combines must be compatible."""
    families: list[dict[str, None]] = []
    for group in groups:
        joined = dict.fromkeys(group)
        for family in [family for family in families if family.keys() & joined.keys()]:
            families.remove(family)
            joined = family | joined
        families.append(joined)
    return [tuple(family) for family in families]


def _score(study: OpenStudy, name: str, texts: "pd.DataFrame", device: str) -> bool:
    """Add the column ``_column(name)``; False, with the reason on stderr, if texts are unreadable.

    The user asked for texts: if the judge cannot read them, they are still printed.
    """
    from lm_interpolation.scores.classifier import score_classifier
    from lm_interpolation.scores.statistic_values import weighted_sum

    scorer = study.config["scorers"][name]
    full = texts["prompt"] + texts["continuation"]
    try:
        probabilities = score_classifier(
            study.results / "models" / scorer["model"],
            (full if scorer["text"] == "full" else texts["continuation"]).tolist(),
            study.config["compute"]["batch_size"]["score"],
            device,
            scorer.get("labels"),
            Progress(f"score {name}", len(texts), "texts").update,
            scorer["precision"],
        )
    except UserError as error:
        say(f"no scores: {error}")
        return False
    texts[_column(name)] = weighted_sum(
        probabilities, name, {f"p_{label}": weight for label, weight in scorer["weights"].items()}
    )
    try:
        say("; ".join(judge_lines(study_judges(study.declared, study.results, [name]))))
    except UserError as error:
        say(f"how good {scorer['model']} is is not known: {error}")
    return True


def _column(scorer: str) -> str:
    """The column of a scorer's scores; no other column has a space in its name."""
    return f"score {scorer}"


def _print(study: OpenStudy, places: Sequence[Place], texts: "pd.DataFrame", scorers: Sequence[str]) -> None:
    """One line per continuation with its scores, the prompt and itself; with several points, a heading for each.

    Several scores have their names before them.
    """
    bold, dim, plain = (_BOLD, _DIM, _PLAIN) if _coloured() else ("", "", "")
    for index, place in enumerate(places):
        part = texts[texts["place"] == index]
        means = [f"{name} {part[_column(name)].mean():.2f}" for name in scorers]
        if len(places) > 1:
            mean = f" (mean {', '.join(means)})" if means else ""
            print(f"{bold}{place.title}{plain}{mean}")
        else:
            for name, mean in zip(scorers, means, strict=True):
                say(f"mean {mean}, by {study.config['scorers'][name]['model']}")
        for text in part.to_dict("records"):
            scores = "".join(f"{f'{name} ' * (len(scorers) > 1)}{_shown(text[_column(name)])}  " for name in scorers)
            print(f"{scores}{dim}{printable(text['prompt'])}{plain}{printable(text['continuation'])}")
        if index + 1 < len(places):
            print()


def _shown(score: float) -> str:
    return "   -" if math.isnan(score) else f"{score:.2f}"


def _coloured() -> bool:
    # https://no-color.org: any non-empty value.
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _print_json(study: OpenStudy, places: Sequence[Place], texts: "pd.DataFrame", scorers: Sequence[str]) -> None:
    """One object per continuation: ``scorer`` and ``score`` are the first; several are all in ``scores``, by name."""
    for text in texts.to_dict("records"):
        place = places[text["place"]]
        values = {name: text[_column(name)] for name in scorers}
        scores = {name: None if math.isnan(value) else value for name, value in values.items()}
        entry = {
            "study": study.name,
            "sweep": place.sweep.name if place.sweep else None,
            "coordinates": {name: float(value) for name, value in place.coordinates},
            "point": place.point.id,
            "space": place.space,
            **{key: text[key] for key in ("row", "prompt", "sample", "continuation", "tokens", "stop")},
            "scorer": next(iter(scorers), None),
            "score": next(iter(scores.values()), None),
            **({"scores": scores} if len(scores) > 1 else {}),
        }
        # ASCII, so that it is JSON whatever the terminal's encoding.
        print(json.dumps(entry))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
