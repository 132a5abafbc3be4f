"""Settings of analyses, searches and trainings in words, for the texts beside figures and tables."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lm_interpolation.figures.naming import prompts_label


def describe_analysis(name: str, spec: Mapping[str, Any]) -> str:
    """One line on an analysis of the resolved config."""
    return f"{name}: {_KINDS[spec['kind']](spec)}"


def describe_search(name: str, spec: Mapping[str, Any]) -> str:
    """One line on a search: whose training it varies, and over which values."""
    words = {"learning_rate": "learning rate", "batch_size": "batch size", "steps": "number of steps"}
    grid = ", ".join(f"{word} ({_values(spec['grid'][key])})" for key, word in words.items())
    return f"{name}: trainings of {spec['model']} with each combination of {grid}"


def describe_training(name: str, training: Mapping[str, Any]) -> str:
    """One line on how a model is trained."""
    warmup = f", {_number(training['warmup_steps'])} of them warm-up" if training["warmup_steps"] else ""
    betas = f"{_number(training['adam_beta1'])} and {_number(training['adam_beta2'])}"
    return (
        f"{name}: {_number(training['steps'])} steps{warmup}, of {_number(training['batch_size'])} sequences of "
        f"{_number(training['block_length'])} tokens; learning rate {_number(training['learning_rate'])} "
        f"({training['schedule'].replace('_', ' ')}), AdamW with betas {betas}, weight decay "
        f"{_number(training['weight_decay'])}; {training['precision']}, seed {training['seed']}"
    )


def _loss(spec: Mapping[str, Any]) -> str:
    texts = f"{' and '.join(spec['classes'])} texts apart" if spec.get("classes") else "all texts together"
    limit = f", the first {_number(spec['limit'])} of each" if "limit" in spec else ""
    long = {"error": "", "cut": "; longer texts than the models read are cut", "drop": "; longer texts are dropped"}
    return (
        f"loss of the {spec['split']} split of corpus {spec['corpus']} along {spec['sweep']}, {texts}{limit}"
        + (long[spec["too_long"]])
    )


def _next_token(spec: Mapping[str, Any]) -> str:
    start, end = map(_number, spec["ends"])
    return (
        f"probability of each word right after “{spec['prompt']}” along {spec['sweep']}, for the groups "
        f"{_groups(spec['words'])}; and of the {spec['top']} tokens of the vocabulary that rise, and that fall, most "
        f"from coordinate {start} to {end}"
    )


def _barrier(spec: Mapping[str, Any]) -> str:
    losses = f", and of {_list(spec['losses'])}" if spec["losses"] else ""
    return f"height above the chord from coordinate 0 to 1 of {spec['scorer']} along {_list(spec['sweeps'])}{losses}"


def _linearity(spec: Mapping[str, Any]) -> str:
    return (
        f"the model over {spec['sweep']} against its first-order expansion around the origin, after {_first(spec)}; a "
        f"point counts as linear up to an error of {100 * spec['tolerance']:g} %; the margin is between the groups "
        f"{_groups(spec['words'])}"
    )


def _norms(spec: Mapping[str, Any]) -> str:
    pairs = (f"{label} ({pair['model']} − {pair['reference']})" for label, pair in spec["pairs"].items())
    return f"norms of the weight differences {', '.join(pairs)}, tensor by tensor"


def _cost(spec: Mapping[str, Any]) -> str:
    return (
        f"time and memory of texts after {_first(spec)} at coordinate {_values(spec['at'])} of {spec['sweep']}, from "
        f"merged weights and from an ensemble; {_number(spec['repeats'])} runs of each, alone in a fresh process"
    )


def _texts(spec: Mapping[str, Any]) -> str:
    return (
        f"first continuations after {_first(spec)} at coordinate {_values(spec['at'])} along {_list(spec['sweeps'])}, "
        "side by side"
    )


def _precision(spec: Mapping[str, Any]) -> str:
    return (
        f"texts after {_first(spec)} and their scores at coordinate {_values(spec['at'])} of {spec['sweep']}, in fp32 "
        f"and in the precision of the study; they may differ by {_number(spec['threshold'])}: {spec['reason']}"
    )


_KINDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "loss": _loss,
    "next_token": _next_token,
    "barrier": _barrier,
    "linearity": _linearity,
    "norms": _norms,
    "cost": _cost,
    "texts": _texts,
    "precision": _precision,
}
"""Kind of analysis to what describes it."""


def _first(spec: Mapping[str, Any]) -> str:
    return f"the first {_number(spec['prefixes'])} {prompts_label(spec['prompts'])}"


def _groups(words: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{group} ({', '.join(entries)})" for group, entries in words.items())


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _values(values: Iterable[float]) -> str:
    return ", ".join(map(_number, values))


def _number(value: float) -> str:
    return f"{value:,.10g}".replace("e-0", "e-").replace("-", "−")
