"""LoRA adapters in the format of PEFT: what they do to the tensors of a base, by configuration and headers alone.

A folder holds ``adapter_config.json`` and ``adapter_model.safetensors``. For a weight W of shape (outputs, inputs) the
file has A of shape (r, inputs) and B of shape (outputs, r), and the adapted weight is W + s B A, where s is alpha / r
(Hu et al. 2021, arXiv 2106.09685, section 4.1), or alpha / sqrt(r) with ``use_rslora`` (Kalajdzievski 2023, arXiv
2312.03732). Rank and alpha may differ between modules (``rank_pattern``, ``alpha_pattern``). Other tensors of the file
take the place of the base's: biases, and what ``modules_to_save`` names.

Which modules are adapted is what the tensors say; ``target_modules`` and the like are not read. What would change a
weight in any other way is refused. No weight is read here, no torch or numpy needed.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.checksums import CHECKSUMS, check_present
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.headers import Tensor, read_header
from lm_interpolation.models.model_folders import ADAPTER, is_count, read_json
from lm_interpolation.models.tensor_names import tensor_kind

WEIGHTS = "adapter_model.safetensors"

_PICKLED = "adapter_model.bin"
_PREFIX = "base_model.model."
"""Before the name of each module, which is the base's."""

_LINEAR = (".lora_A.weight", ".lora_B.weight")
_EMBEDDING = (".lora_embedding_A", ".lora_embedding_B")
"""Ends of the names of A and B of a module."""

_READ = frozenset({
    "peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "bias", "modules_to_save",
    "init_lora_weights",
})  # fmt: skip
"""Keys of the configuration that decide on the weights."""

_IDLE = frozenset({
    "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version",
    # What the tensors themselves say: which modules are adapted, and how these store their weights.
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out",
    # Of the training.
    "lora_dropout", "ensure_weight_tying",
    # Of something that another key turns on.
    "megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
})  # fmt: skip
"""Keys on which no weight depends. Any other key must be off: null, false or empty."""

_STARTS = (True, False, "gaussian", "orthogonal", "eva")
"""Values of ``init_lora_weights`` that leave the base as it is. Others (pissa, olora, ...) change it in training."""

_FLOATS = ("F32", "F16", "BF16")
_MERGE = "merge it with PEFT (merge_and_unload, save_pretrained), and give that model"
_AGAIN = "save the adapter again with PEFT's save_pretrained"


@dataclass(frozen=True)
class Product:
    """What is added to a weight: ``scale`` times ``b`` (outputs, rank) times ``a`` (rank, inputs).

    Of an embedding the inputs are the tokens, whose rows the base stores, so its weight gets the transpose.
    """

    a: Tensor
    b: Tensor
    scale: float
    embedding: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.b.shape[0], self.a.shape[1]


@dataclass(frozen=True)
class Adapter:
    """What a folder holds: name of a tensor of the base -> what is added to it, or what takes its place first.

    ``base`` is the model that it was trained on, as far as the folder names it.
    """

    directory: Path
    products: Mapping[str, Product]
    replaced: Mapping[str, Tensor]
    base: str | None

    @classmethod
    def open(cls, directory: str | Path) -> "Adapter":
        """Read the configuration and the header.

        Raises ``UserError`` naming file and key for what is missing or damaged, for another kind of adapter, for an
        option that is not read here, and for tensors that do not fit together or that the configuration does not
        explain.
        """
        directory = Path(directory)
        check_adapter_folder(directory)
        path = directory / ADAPTER
        config = read_json(path, _AGAIN)
        _check_config(config, path)
        tensors = read_header(directory / WEIGHTS)
        products, replaced = _sorted_out(config, path, tensors)
        base = config.get("base_model_name_or_path")
        return cls(directory, products, replaced, base if isinstance(base, str) and base else None)

    @property
    def trained_on(self) -> str:
        """Words on the model that it was trained on."""
        return f"it was trained on {self.base}" if self.base else f"{ADAPTER} does not name its base"


def adapter_files(directory: str | Path) -> list[Path]:
    """The files of a local folder that reading its adapter reads. Raises ``UserError`` if one is missing."""
    check_adapter_folder(Path(directory))
    names = (ADAPTER, WEIGHTS, CHECKSUMS)
    return [path for path in (Path(directory, name) for name in names) if path.is_file()]


def check_adapter_folder(directory: Path) -> None:
    """Raise ``UserError`` unless the folder has an adapter's files."""
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; give the folder of an adapter ({ADAPTER}, {WEIGHTS})")
    check_adapter_names(str(directory), [path.name for path in directory.iterdir() if path.is_file()])
    # If it is ours, from another study for example.
    check_present(directory, "copy the adapter again", {ADAPTER, WEIGHTS})


def check_adapter_names(source: str, names: Collection[str]) -> None:
    """Raise ``UserError`` unless an adapter is among the files ``names`` of a folder or a repository on the hub."""
    if ADAPTER not in names:
        raise UserError(f"{source}: has no {ADAPTER}, so it is no adapter of PEFT; choose another")
    if WEIGHTS in names:
        return
    if _PICKLED in names:
        raise UserError(
            f"{source}: has its weights as {_PICKLED} only, which is not read; load it with PEFT, and save it "
            f"with save_pretrained, which writes {WEIGHTS}"
        )
    raise UserError(f"{source}: has no {WEIGHTS}; {_AGAIN}")


def _check_config(config: Mapping[str, Any], path: Path) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UserError(f"{path}: peft_type is {_show(kind)}; only LORA can be read: {_MERGE}")
    start = config.get("init_lora_weights", True)
    # As numbers, true and false would equal 1 and 0.
    if not any(start is known or (isinstance(start, str) and start == known) for known in _STARTS):
        raise UserError(
            f"{path}: init_lora_weights is {_show(start)}, which changes the base; save the adapter with PEFT's "
            "save_pretrained(..., path_initial_model_for_weight_conversion=...), which converts it"
        )
    if config.get("use_dora"):
        raise UserError(f"{path}: use_dora is true, and DoRA is not read; {_MERGE}")
    for key, value in config.items():
        if key not in _READ and key not in _IDLE and value not in (None, False, 0, "", [], {}):
            raise UserError(f"{path}: {key} is {_show(value)}, which is not read and may change weights; {_MERGE}")
    if config.get("bias", "none") not in ("none", "all", "lora_only"):
        raise UserError(f"{path}: bias is {_show(config['bias'])}; {_AGAIN}")
    if not isinstance(config.get("use_rslora", False), bool):
        raise UserError(f"{path}: use_rslora is {_show(config['use_rslora'])}; {_AGAIN}")
    saved = config.get("modules_to_save")
    if saved is not None and not (isinstance(saved, list) and all(isinstance(name, str) and name for name in saved)):
        raise UserError(f"{path}: modules_to_save is {_show(saved)}; {_AGAIN}")


def _sorted_out(
    config: Mapping[str, Any], path: Path, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Product], dict[str, Tensor]]:
    """The products and the replaced tensors of an adapter, by names of the base's tensors, sorted."""
    file = path.with_name(WEIGHTS)
    pairs: dict[str, dict[str, Tensor]] = {}
    replaced: dict[str, Tensor] = {}
    for name, tensor in sorted(tensors.items()):
        if not name.startswith(_PREFIX):
            raise UserError(f"{file}: tensor {name} does not begin with {_PREFIX}; {_AGAIN}")
        if tensor.dtype not in _FLOATS:
            raise UserError(f"{file}: tensor {name} has dtype {tensor.dtype}; save the adapter in float32")
        own = name.removeprefix(_PREFIX)
        end = next((end for end in (*_LINEAR, *_EMBEDDING) if own.endswith(end)), None)
        if end is not None:
            pairs.setdefault(own.removesuffix(end), {})[end] = tensor
            continue
        # PEFT keeps a module that it adapts as the base layer of its own.
        target = own.replace(".base_layer.", ".")
        if not _is_explained(target, config):
            raise UserError(f"{file}: tensor {name} is none that {ADAPTER} explains; {_MERGE}")
        replaced[target] = tensor
    for module in config.get("modules_to_save") or []:
        if not any(_is_saved(target, [module]) for target in replaced):
            raise UserError(f"{path}: modules_to_save names {module}, of which {WEIGHTS} has no tensor; {_AGAIN}")
    products = {f"{module}.weight": _product(module, pair, config, path) for module, pair in pairs.items()}
    if not products and not replaced:
        raise UserError(f"{file}: holds no tensor; {_AGAIN}")
    return products, replaced


def _is_explained(target: str, config: Mapping[str, Any]) -> bool:
    """Whether PEFT takes a tensor of an adapter for the tensor ``target`` of the base."""
    if target.endswith(".bias") and config.get("bias", "none") != "none":
        return True
    # PEFT saves embeddings whole if they are adapted, or have got new rows.
    embeds = target.endswith(".weight") and tensor_kind(target) in ("embedding", "head")
    return embeds or _is_saved(target, config.get("modules_to_save") or [])


def _is_saved(target: str, modules: list[str]) -> bool:
    """Whether a tensor belongs to one of ``modules``, whose names are ends of names, as for PEFT."""
    parts = target.split(".")[:-1]
    above = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return any(name.endswith(module) for name in above for module in modules)


def _product(module: str, pair: Mapping[str, Tensor], config: Mapping[str, Any], path: Path) -> Product:
    file = path.with_name(WEIGHTS)
    kind = next((kind for kind in (_LINEAR, _EMBEDDING) if set(kind) == set(pair)), None)
    if kind is None:
        raise UserError(f"{file}: {module} has {', '.join(pair)}, which is not one matrix A and one B; {_AGAIN}")
    a, b = (pair[end] for end in kind)
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1] or not a.size or not b.size:
        raise UserError(
            f"{file}: the matrices of {module} have the shapes {list(a.shape)} and {list(b.shape)}, which are not "
            f"(r, inputs) and (outputs, r); {_MERGE}"
        )
    rank = _of(module, config, path, "r", "rank_pattern")
    alpha = _of(module, config, path, "lora_alpha", "alpha_pattern")
    if rank != a.shape[0]:
        raise UserError(f"{path}: {module} has rank {_show(rank)}, but its matrices have {a.shape[0]}; {_AGAIN}")
    return Product(a, b, alpha / (math.sqrt(rank) if config.get("use_rslora", False) else rank), kind is _EMBEDDING)


def _of(module: str, config: Mapping[str, Any], path: Path, key: str, pattern_key: str) -> Any:
    """The value of ``key`` for ``module``: that of the first of the patterns that its name ends in, as for PEFT."""
    patterns = config.get(pattern_key) or {}
    try:
        found = [value for end, value in patterns.items() if re.match(rf"(.*\.)?({end})$", module)]
    except (re.error, AttributeError):
        raise UserError(f"{path}: {pattern_key} is {_show(patterns)}; {_AGAIN}") from None
    value = found[0] if found else config.get(key)
    wanted = is_count(value) if key == "r" else isinstance(value, int | float) and math.isfinite(value)
    if not wanted or isinstance(value, bool):
        raise UserError(f"{path}: {pattern_key if found else key} is {_show(value)} for {module}; {_AGAIN}")
    return value


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
