"""Logit-space ensembles: points whose coefficients are applied to next-token logits instead of weights.

Source: DExperts (Liu et al. 2021, https://aclanthology.org/2021.acl-long.522, Eq. 1), softmax(z + gamma (z+ - z-)), as
used by Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092), sections 3.2 and 4.4. Every point is allowed, not only
theirs: models may differ in size (proxy tuning, Liu et al. 2024, arXiv 2401.08565; emulated fine-tuning, Mitchell et
al. 2023, arXiv 2310.12962), and members may be experts that are no models. The module is separate from ``generation``,
so that an edit here does not rerun texts in weight space.
"""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.jobs.runtime import Progress, UserError, announce, error_prefix
from lm_interpolation.models.tokenizer_files import check_same_tokenizer
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.experts.base import Expert, build
from lm_interpolation.texts.generation import Sampling, sample_texts
from lm_interpolation.texts.language_models import LanguageModel, Mixture, load_language_model

Experts = Mapping[str, Mapping[str, Any]]
"""Name to what describes an expert, see ``ensemble``."""
_NONE: Experts = {}


def generate_ensemble(
    point: Point,
    models: Mapping[str, str | Path],
    prompts: pd.DataFrame,
    sampling: Sampling,
    nucleus: str | None,
    batch_size: int,
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "fp32",
    experts: Experts = _NONE,
) -> pd.DataFrame:
    """Sample continuations of every prompt with next-token logits sum_m c_m z_m over the models of ``point``.

    The models compute logits in ``precision``; the sum is float64. Random numbers are the same as in
    ``generation.generate``, so ``{m: 1}`` gives exactly the texts that it samples from m.

    Args:
        point, models, nucleus, device, precision, experts: see ``load_ensemble``.
        prompts, sampling, batch_size, progress: see ``generation.generate``, also for what is returned.

    Raises ``UserError`` naming two incompatible models, or the point and the prompt row (see
    ``generation.sample_texts``).
    """
    mixture = load_ensemble(point, models, nucleus, device, precision, experts)
    with error_prefix(f"point {point.id}"):
        return sample_texts(mixture, prompts, sampling, AdaptiveBatches(batch_size), progress)


def load_ensemble(
    point: Point,
    models: Mapping[str, str | Path],
    nucleus: str | None,
    device: str = "cpu",
    precision: str = "fp32",
    experts: Experts = _NONE,
) -> Mixture:
    """Load the models of ``point`` and the model ``nucleus``, and combine them (see ``load_members`` and ``ensemble``).

    ``models`` may hold more; only those needed are loaded.
    """
    names = models_of(point, nucleus, experts)
    return ensemble(point, load_members({name: models[name] for name in names}, device, precision), nucleus, experts)


def models_of(point: Point, nucleus: str | None, experts: Experts = _NONE) -> list[str]:
    """Names of the models that run at ``point``: its own, those of its experts, and the one of the nucleus."""
    own = [name for name in point.models if name not in experts]
    read = [model for name in point.models if name in experts for model in experts[name]["models"]]
    return list(dict.fromkeys([*own, *read, *([] if nucleus is None else [nucleus])]))


def load_members(
    models: Mapping[str, str | Path], device: str = "cpu", precision: str = "fp32"
) -> dict[str, LanguageModel]:
    """Load ``models`` (name -> Hugging Face directory) onto ``device`` in ``precision``, ready to combine their logits.

    They may differ in architecture and size, and in how far their vocabularies are padded. If they differ in the tokens
    that end a text, the log says so. Raises ``UserError`` naming two models whose tokenizers differ, or one that has no
    logits for some tokens that another has.
    """
    try:
        check_same_tokenizer(models)
    except UserError:
        # Damage may be the cause, and it has a different remedy.
        for directory in models.values():
            check_model(directory)
        raise
    loaded = {
        name: load_language_model(directory, device, f"model {name}", precision) for name, directory in models.items()
    }
    for one, two in itertools.pairwise(loaded.values()):
        _check_outputs(one, two)
    return loaded


def ensemble(
    point: Point, members: Mapping[str, LanguageModel], nucleus: str | None, experts: Experts = _NONE
) -> Mixture:
    """The combination of ``members`` (see ``load_members``) at ``point``; there may be more members than needed.

    If ``nucleus`` is None, the top-p nucleus comes from the combined logits. If it is the name of a model, the nucleus
    comes from the logits of that model, whatever its coefficient, and the token is sampled from the softmax of the
    combined logits over the nucleus. (DExperts filters the logits of the base model before it adds the difference of
    the experts.)

    Names in ``point`` that are those of ``experts`` are no models. An expert has ``models``, the names of those that it
    reads, and ``module`` and ``settings`` (see ``experts.base.build``).
    """
    coefficients = {name: float(value) for name, value in point.coefficients}
    names = models_of(point, nucleus, experts)
    place = None if nucleus is None else names.index(nucleus)
    return Mixture(
        tuple((coefficients.get(name, 0.0), members[name]) for name in names),
        place,
        tuple(_experts(coefficients, names, members, experts)),
    )


def _experts(
    coefficients: Mapping[str, float], names: list[str], members: Mapping[str, LanguageModel], experts: Experts
) -> Iterable[tuple[float, Expert]]:
    for name, coefficient in coefficients.items():
        if name in experts:
            with error_prefix(f"experts.{name}"):
                yield coefficient, build(experts[name], names, members[names[0]].tokenizer)


def _check_outputs(one: LanguageModel, two: LanguageModel) -> None:
    tokens = len(one.tokenizer)
    if one.vocabulary != two.vocabulary and min(one.vocabulary, two.vocabulary) < tokens:
        raise UserError(
            f"{one.name} gives {one.vocabulary} logits and {two.name} {two.vocabulary}, which cannot be added: their "
            f"tokenizer has {tokens} tokens; use models whose vocab_size in config.json is at least that"
        )
    if one.special.stops != two.special.stops:
        announce(
            f"{one.name} stops at {sorted(one.special.stops)} and {two.name} at {sorted(two.special.stops)}: texts of "
            "both stop at any of these tokens"
        )
