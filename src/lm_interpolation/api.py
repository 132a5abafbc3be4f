"""The public functions of the package, for notebooks and scripts without Snakemake.

Models are folders or ids on the Hugging Face hub (``gpt2``, ``gpt2@main``, ``gpt2@<commit>``: without a revision the
branch ``main``). A hub model is imported once, as a study does it, into ``$XDG_CACHE_HOME/lm-interpolation``; with its
files in the hub's cache no network is needed.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation import __version__
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Coefficient, Method, Point, Sweep, SweepPoint

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

Model = str | os.PathLike[str]
Coefficients = Point | Mapping[str, Coefficient]

_BATCH = 32


def method(name: str = "method", *, statistics: str | os.PathLike[str] | None = None, **stages: Any) -> Method:
    """The merge method of these stages, as a study declares one under ``methods`` (config/README.md).

    For example ``method(base="base", keep={"by": "magnitude", "density": 0.2}, elect="sum", combine="mean")`` is TIES.
    ``.at({"one": 0.5, "two": 0.5})`` is a point under it, where the base takes the rest of the coefficients to 1. A
    setting may be the name of a coordinate, whose value ``.at(coefficients, {name: value})`` or a sweep gives.
    docs/methods.md has formulas and sources.

    A stage that needs a statistic of each model names it: ``method(base="base", combine={"by": "fisher", "statistic":
    "fisher"}, statistics="results/demo/statistics")``. ``statistics`` is the folder where a study has put its
    statistics, those of a model called ``one`` in ``<statistic>/one.safetensors``.

    Raises ``UserError`` if the stages are not right, or if one needs statistics and there is no folder of them.
    """
    from pydantic import ValidationError

    from lm_interpolation.points.statistic_folders import statistics_of, with_statistics
    from lm_interpolation.study.checks import nested_problems
    from lm_interpolation.study.config_errors import describe
    from lm_interpolation.study.kinds.methods.method import MethodSpec

    try:
        spec = MethodSpec.model_validate(stages)
    except ValidationError as error:
        lines = describe(error.errors(include_url=False), MethodSpec)
        raise UserError(*(line.removeprefix("config: ") for line in lines)) from None
    # What stages need of a study is only that its models exist.
    if lines := [f"{path}: {words}" for path, words in nested_problems(spec, None, name)]:  # type: ignore[arg-type]
        raise UserError(*lines)
    built = spec.built(name)
    if statistics is None:
        if needed := statistics_of(built):
            raise UserError(f"{name}: needs the statistic {needed[0]}; give statistics, the folder that holds it")
        return built
    return with_statistics(built, statistics)


def merge(
    point: Coefficients, models: Mapping[str, Model], output: str | os.PathLike[str], method: Method | None = None
) -> Path:
    """Write the model at ``point``, theta = sum_m c_m theta_m, as a Hugging Face folder; return the folder.

    Args:
        point: coefficients that sum to 1, or a mapping from names to them. They are never normalised, and may be
            negative or greater than 1.
        models: name -> model (see above). Folders hold safetensors in float32, float16 or bfloat16. All models have one
            architecture and one tokenizer; more than the point needs are allowed.
        output: a new folder, written whole or not at all: weights in float32, summed in float64, the config and the
            tokenizer of the first model. ``AutoModelForCausalLM.from_pretrained`` loads it.
        method: that of a point which is under one.

    The bytes are those of a study of the workflow. Source: arXiv 2211.12092, Eqs. 1-4.

    Raises ``UserError`` if coefficients do not sum to 1, if a model is not there, is damaged or does not fit the
    others, if a weight is NaN or infinite, or if ``output`` exists.
    """
    from lm_interpolation.jobs.scratch import refuse_existing
    from lm_interpolation.points.merging import merge as write
    from lm_interpolation.points.method_merging import merge_by_method

    point, target = _point(point), Path(output)
    how = _method_of(point, method)
    refuse_existing(target)
    if how is None:
        write(point, _folders(models, point.models), target)
    else:
        merge_by_method(point, how, _folders(models, how.models(point)), target)
    return target


def steer(
    at: Coefficients | Sweep,
    models: Mapping[str, Model],
    prompts: str | Sequence[str],
    *,
    samples: int = 5,
    max_new_tokens: int = 30,
    top_p: float = 0.9,
    seed: int = 0,
    space: str = "weights",
    nucleus: str | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    method: Method | None = None,
    experts: Mapping[str, Mapping[str, Any]] | None = None,
) -> "pd.DataFrame":
    """Sample continuations of ``prompts`` at a point, or at all points of a sweep; nothing is written.

    Args:
        at: coefficients that sum to 1, or a sweep (``Sweep.of``), whose models are loaded once for all points.
        models: name -> model (see above), of one architecture and one tokenizer.
        prompts: texts to continue. The position of each keys its random numbers.
        samples: continuations of each prompt.
        max_new_tokens: their greatest length, in tokens.
        top_p: mass of the nucleus, in (0, 1] (Holtzman et al. 2020, arXiv 1904.09751).
        seed: at least 0. Each (seed, prompt, sample, step) has a random number of its own, so texts depend neither on
            batches nor on what else is sampled, and points share their random numbers.
        space: ``weights``; or, with the same coefficients, ``layers``, the outputs of each layer at one shared input
            (TuCo, Nuti et al. 2025), or ``logits``, an ensemble (DExperts, Liu et al. 2021). A sweep has its own.
        nucleus: in the space of logits, the model whose logits decide which tokens may be sampled; by default their
            sum does.
        device: ``cpu`` or ``cuda``.
        precision: ``fp32``, ``bf16`` or ``fp16``, to which the merged weights are cast.
        method: that of a point which is under one. A sweep has its own.
        experts: in the space of logits, members of ``at`` that are no models, each as a study declares it under
            ``experts`` (config/README.md).

    Returns a frame with a row for each continuation, ordered by point, prompt and sample: for a sweep a column of
    floats for each coordinate; ``point`` (its id), ``prompt`` (text), ``row`` (position of the prompt), ``sample``
    (from 0), ``continuation`` (text), ``tokens`` (how many) and ``stop`` (``eos`` or ``length``). The texts are the
    same as in a study with these settings.

    Raises ``UserError`` if coefficients do not sum to 1, if models are not there or do not fit together, or if a prompt
    is empty or too long for the models.
    """
    import pandas as pd

    from lm_interpolation.jobs.batches import AdaptiveBatches
    from lm_interpolation.texts.ensembles import models_of
    from lm_interpolation.texts.generation import Sampling, sample_texts

    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    sweep = at if isinstance(at, Sweep) else None
    entries = sweep.points if sweep else (SweepPoint((), _point(at)),)  # type: ignore[arg-type]
    space = sweep.space if sweep else space
    _check_choice("space", space, ("weights", "layers", "logits"))
    _check_choice("precision", precision, ("fp32", "bf16", "fp16"))
    if nucleus is not None and space != "logits":
        raise UserError("nucleus: only an ensemble has one; give space='logits'")
    if not texts:
        raise UserError("prompts: there are none; give a text to continue")
    how = sweep.method if sweep else _method_of(entries[0].point, method)
    if experts and space != "logits":
        raise UserError("experts: only an ensemble has them; give space='logits'")
    known = {name: _expert(name, declared) for name, declared in (experts or {}).items()}
    names = {model for entry in entries for model in models_of(entry.point, nucleus, known)}
    names |= {how.base} if how is not None and how.base is not None else set()
    folders = _folders(models, sorted(names))
    sampling = Sampling(top_p, max_new_tokens, samples, seed)
    rows = pd.DataFrame({"row": range(len(texts)), "text": texts})
    frames = []
    for entry, mixture in _mixtures(entries, folders, space, nucleus, device, precision, how, known):
        sampled = sample_texts(mixture, rows, sampling, AdaptiveBatches(_BATCH))
        prompt = [texts[row] for row in sampled["row"]]
        coordinates = {name: float(value) for name, value in entry.coordinates}
        frame = sampled.assign(**coordinates, point=entry.point.id, prompt=prompt)
        frames.append(frame[[*coordinates, "point", "prompt", *sampled.columns]])
    return pd.concat(frames, ignore_index=True)


def perplexity(
    model: Model,
    texts: Sequence[str],
    prompts: Sequence[str] | None = None,
    *,
    device: str = "cpu",
    precision: str = "fp32",
) -> "npt.NDArray[np.float64]":
    """Perplexity of each text under a causal language model: exp(negative log-likelihood in nats / tokens).

    Args:
        model: see above.
        texts: read whole, or, with ``prompts``, as continuations of these (one prompt for each text), so that only the
            continuation's tokens count.
        device, precision: see ``steer``.

    Returns float64, shape (len(texts),); NaN where no token is predicted (an empty text).

    Raises ``UserError`` if the model is not there or is not a whole causal language model with a fast tokenizer, or if
    a text is longer than it can read.
    """
    import numpy as np

    from lm_interpolation.scores.perplexity import score_perplexity

    _check_choice("precision", precision, ("fp32", "bf16", "fp16"))
    if prompts is not None and len(prompts) != len(texts):
        raise UserError(f"prompts: {len(prompts)} for {len(texts)} texts; give one for each")
    folder = _folders({"model": model}, ["model"])["model"]
    part = "text" if prompts is None else "continuation"
    scores = score_perplexity(folder, prompts or [""] * len(texts), list(texts), _BATCH, device, precision=precision)
    tokens = scores[f"tokens_{part}"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(tokens > 0, np.exp(scores[f"nll_{part}"].to_numpy(dtype=np.float64) / tokens), np.nan)


def _mixtures(
    entries: Sequence[SweepPoint],
    folders: Mapping[str, Path],
    space: str,
    nucleus: str | None,
    device: str,
    precision: str,
    method: Method | None,
    experts: Mapping[str, Mapping[str, Any]],
) -> Any:
    """Yield each of ``entries`` with what its texts are sampled from; models are loaded once."""
    from lm_interpolation.points.interpolation import WeightSpace
    from lm_interpolation.points.layer_space import LayerSpace
    from lm_interpolation.texts.ensembles import ensemble, load_members
    from lm_interpolation.texts.layer_texts import mixture_in_layers
    from lm_interpolation.texts.mixtures import mixture_at

    if space == "logits":
        members = load_members(folders, device, precision)
        for entry in entries:
            yield entry, ensemble(entry.point, members, nucleus, experts)
    elif space == "layers":
        layers = LayerSpace(folders, device, precision)
        for entry in entries:
            yield entry, mixture_in_layers(entry.point, layers)
    else:
        methods = [] if method is None else [method]
        weights = WeightSpace(folders, device, methods=methods)
        for entry in entries:
            yield entry, mixture_at(entry.point, weights, precision)


def _expert(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    from pydantic import TypeAdapter, ValidationError

    from lm_interpolation.study.kinds.catalog import AnyExpert

    try:
        found: dict[str, Any] = TypeAdapter(AnyExpert).validate_python(dict(declared)).settings()
    except ValidationError as error:
        raise UserError(*(f"experts.{name}: {problem['msg']}" for problem in error.errors(include_url=False))) from None
    return found


def _point(coefficients: Coefficients) -> Point:
    return coefficients if isinstance(coefficients, Point) else Point.of(coefficients)


def _method_of(point: Point, method: Method | None) -> Method | None:
    """The method that ``point`` is under. Raises ``UserError`` if ``method`` is not that one."""
    if point.method != (method.name if method else ""):
        needed = f"under the method {point.method}" if point.method else "under no method"
        raise UserError(f"method: {method.name if method else None}; the point {point.id} is {needed}, give that one")
    return method


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UserError(f"{name}: {value!r}; choose one of {', '.join(choices)}")


def _folders(models: Mapping[str, Model], names: Sequence[str]) -> dict[str, Path]:
    """Folders of the models ``names``. Raises ``UserError`` if one is not given or does not exist."""
    missing = [name for name in names if name not in models]
    if missing:
        raise UserError(f"models: no {', '.join(missing)}; there are {', '.join(models) or 'none'}")
    return {name: _folder(models[name]) for name in names}


def _folder(model: Model) -> Path:
    """The folder of a model; one of the hub is imported if it has not been before."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    name, _, revision = str(model).partition("@")
    # A hub id is NAME or OWNER/NAME.
    if not isinstance(model, str) or model.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UserError(f"{model}: no such folder; give the folder of a model, or its id on the hub")
    from lm_interpolation.data.hub import resolve
    from lm_interpolation.models.importing import import_model

    commit = resolve(name, "model", revision or "main")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "lm-interpolation", __version__)
    target = cache / f"{name.replace('/', '--')}@{commit}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        import_model(name, commit, "language-model", target)
    return target
