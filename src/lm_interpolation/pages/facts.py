"""What a study did, in words: one line each on its sweeps, texts and scorers. Imports nothing heavy."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.points.algebra import Sweep, format_decimal, grid_values
from lm_interpolation.points.formulas import combination


def describe_sweep(sweep: Sweep, spec: Mapping[str, Any], texts: bool) -> str:
    """One line on a sweep, declared by ``spec``: its formula, its grid and, if it is about texts, its prompts."""
    terms = [combination(spec["origin"])]
    terms += [f"{coordinate} ({combination(along)})" for coordinate, along in _directions(sweep, spec).items()]
    values = {coordinate: grid_values(spec["grid"][coordinate]) for coordinate in sweep.coordinates}
    grids = [
        f"{name}: {len(along)} values from {format_decimal(along[0])} to {format_decimal(along[-1])}"
        for name, along in values.items()
    ]
    beside = sum(any(value not in values[name] for name, value in entry.coordinates) for entry in sweep.points)
    if beside:
        grids.append(f"{beside} more {'point' if beside == 1 else 'points'} off the grid")
    combined = {"weights": "weights", "layers": "outputs of layers", "logits": "logits, an ensemble"}[sweep.space]
    prompts = f"; prompts: {', '.join(sweep.prompts)}" if texts and sweep.prompts else ""
    under = f", under method {sweep.method.name}" if sweep.method else ""
    return f"{sweep.name} = {' + '.join(terms)} ({combined}{under}); {'; '.join(grids)}{prompts}"


def _directions(sweep: Sweep, spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Coordinate to direction, in the order of the sweep; settings of its method have none."""
    return {name: spec["directions"][name] for name in sweep.coordinates if name in spec["directions"]}


def describe_sampling(sampling: Mapping[str, Any], samples: Mapping[str, int], nucleus: str | None) -> str:
    """One line on how texts are sampled.

    ``samples`` holds the number of continuations per prompt of each prompt set that the texts are of, one set or more.
    ``nucleus`` names the model that determines the nucleus of ensembles.
    """
    ensembles = f"; the nucleus of ensembles is that of {nucleus}" if nucleus else ""
    sets: dict[int, list[str]] = {}
    for prompts, number in samples.items():
        sets.setdefault(number, []).append(prompts)
    counts = [f"{number} {'continuation' if number == 1 else 'continuations'} per prompt" for number in sets]
    if len(sets) > 1:
        counts = [f"{count} of {' and '.join(names)}" for count, names in zip(counts, sets.values(), strict=True)]
    return (
        f"texts: {', '.join(counts)}{',' * (len(sets) > 1)} of at most {sampling['max_new_tokens']} tokens, "
        f"top-p {sampling['top_p']}{ensembles}"
    )


def describe_entry(name: str, entry: Mapping[str, Any]) -> str:
    """One line on an entry of the config, as written there."""
    return f"{name}: {', '.join(f'{key} {_plain(value)}' for key, value in entry.items())}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)
