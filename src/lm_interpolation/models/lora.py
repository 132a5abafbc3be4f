"""Training with LoRA: two small matrices beside each adapted one are trained, by PEFT, and merged in the end.

Source: Hu et al. 2021 (arXiv 2106.09685); ``rslora`` is Kalajdzievski 2023 (arXiv 2312.03732). A starts with random
numbers and B with zeros, so that training starts from the model itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear as LoraLinear
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.adapter_files import WEIGHTS
from lm_interpolation.models.model_folders import ADAPTER


@dataclass(frozen=True)
class TrainedAdapter:
    """An adapter, by the contents of its files: see ``adapter_files``."""

    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]

    def write(self, folder: Path) -> None:
        """Write it into the new folder ``folder`` as PEFT does; equal adapters give equal bytes."""
        folder.mkdir(parents=True)
        (folder / ADAPTER).write_text(json.dumps(self.config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        save_file(dict(self.tensors), folder / WEIGHTS, metadata={"format": "pt"})


def with_lora(name: str, model: PreTrainedModel, settings: Mapping[str, Any]) -> PeftModel:
    """``model``, called ``name``, with an adapter beside its matrices, whose numbers alone are trained.

    ``settings`` are the config's ``training.lora``; the random numbers are torch's. Raises ``UserError`` if a target
    names no linear layer, or an embedding, which may be tied to another.
    """
    key = f"models.{name}.training.lora.targets"
    linear = [module for module, layer in model.named_modules() if isinstance(layer, torch.nn.Linear | Conv1D)]
    heads = {module for module, layer in model.named_modules() if layer is model.get_output_embeddings()}
    for target in settings["targets"]:
        found = [module for module in linear if module == target or module.endswith(f".{target}")]
        if not found:
            names = sorted({module.rpartition(".")[2] for module in linear if module not in heads})
            raise UserError(f"{key}: the model has no linear layer {target}; it has {', '.join(names)}")
        if heads & set(found):
            raise UserError(f"{key}: {target} is the output layer, which is not adapted; remove it")
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        target_modules=list(settings["targets"]),
        lora_dropout=settings["dropout"],
        use_rslora=settings["rslora"],
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in model.modules()),
    )
    return get_peft_model(model, config)


def taken_apart(model: PeftModel, base: str) -> tuple[TrainedAdapter, PreTrainedModel]:
    """The adapter of ``model``, which was trained on the model called ``base``, and the model with it merged.

    Sums are taken in float64 and rounded to float32 once, as when an adapter from elsewhere is merged.
    """
    # Only linear layers are adapted. (By default PEFT asks the hub whether the vocabulary has grown.)
    tensors = get_peft_model_state_dict(model, save_embedding_layers=False)
    config = model.active_peft_config.to_dict() | {"base_model_name_or_path": base, "inference_mode": True}
    # Sets have no order.
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    adapter = TrainedAdapter(config, {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, LoraLinear):
                (active,) = layer.active_adapters
                a, b = (part[active].weight.double() for part in (layer.lora_A, layer.lora_B))
                product = layer.scaling[active] * (b @ a)
                weight = layer.get_base_layer().weight
                weight.copy_(weight.double() + (product.T if layer.fan_in_fan_out else product))
    return adapter, model.unload()
