"""Points of adapters of one base, written as one adapter: ``lm-interpolation export --adapter``."""

from pathlib import Path

from huggingface_hub import ModelCardData

from lm_interpolation.data.hub import locked_commit
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.models.adapter_hub import fetch_adapter
from lm_interpolation.pages.markdown import plain
from lm_interpolation.points.adapter_sums import sum_adapters
from lm_interpolation.texts.steering import OpenStudy, Place, formula, model_folders


def write_adapter(study: OpenStudy, place: Place, output: Path) -> None:
    """Write the adapter of ``place``, which is a point in the space of weights, and a card into the folder ``output``.

    Raises ``UserError`` unless the models of the point are adapters of one model, and perhaps this one itself.
    """
    if place.point.method:
        raise UserError(f"{place.title} is under a method, whose result is no adapter; export the point as a model")
    base = _base_of(study, place)
    adapters = {model: Adapter.open(_folder(study, model)) for model in place.point.models if model != base}
    start = study.config["models"][base]["start"]
    coefficients = {model: float(value) for model, value in place.point.coefficients}
    folder = model_folders(study, [base])[base]
    rank = sum_adapters(coefficients, adapters, folder, start.get("hub", base), output)
    metadata = ModelCardData(
        library_name="peft", base_model=start.get("hub"), tags=["lora", "lm-interpolation", "arxiv:2211.12092"]
    )
    text = (
        f"---\n{metadata.to_yaml()}\n---\n\n# {plain(f'{study.name}: {place.title}')}\n\n"
        f"A LoRA adapter of `{base}`, of rank {rank} at most: the change from `{base}` to the point\n\n"
        f"    θ = {formula(place.point)}\n\n"
        f"of the study `{study.name}` of lm-interpolation ([arXiv 2211.12092](https://arxiv.org/abs/2211.12092)). It "
        "is the sum of the adapters in this formula, whose matrices stand side by side; none was trained further.\n"
    )
    (output / "README.md").write_text(text, encoding="utf-8")


def _base_of(study: OpenStudy, place: Place) -> str:
    """The model that all adapters in a point belong to."""
    starts = {model: _parent(study, model) for model in place.point.models}
    bases = {parent for parent in starts.values() if parent is not None}
    if len(bases) != 1:
        found = f"it has adapters of {' and '.join(sorted(bases))}" if bases else "it has none"
        raise UserError(f"--adapter: the point needs adapters of one model, and {found}; choose another")
    (base,) = bases
    for model, parent in starts.items():
        if parent is None and model != base:
            raise UserError(f"--adapter: {model} is no adapter of {base}; export the point as a model")
    return base


def _parent(study: OpenStudy, model: str) -> str | None:
    """The model that ``model`` is an adapter of, if it is one."""
    spec = study.config["models"][model]
    if "adapter" in spec["start"] or "lora" in spec.get("training", {}):
        return str(spec["start"]["model"])
    return None


def _folder(study: OpenStudy, model: str) -> Path:
    """The folder of its adapter."""
    adapter = study.config["models"][model]["start"].get("adapter")
    if adapter is None:
        return model_folders(study, [model])[model] / "adapter"
    if "hub" not in adapter:
        return Path(adapter["directory"])
    commit = locked_commit(adapter["hub"], "model", adapter["revision"], study.config.get("hub_lock"))
    return fetch_adapter(adapter["hub"], commit)
