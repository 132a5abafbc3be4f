"""LoRA adapters made with PEFT, of random weights, and what PEFT itself merges them to."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LLAMA = {
    "num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 32, "vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0,
    "pad_token_id": 0, "tie_word_embeddings": False,
}  # fmt: skip


def save_llama(folder: Path, tokenizer: Path, **options: Any) -> Path:
    """A random Llama in ``folder`` with this tokenizer."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **LLAMA | options)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    return folder


def save_adapter(base: Path, folder: Path, seed: int = 1, **options: Any) -> Path:
    """An adapter of ``base`` in ``folder``; all that its training would change is drawn at random."""
    config = LoraConfig(task_type="CAUSAL_LM", **{"r": 3, "lora_alpha": 7} | options)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    return folder


def merged_by_peft(base: Path, adapter: Path) -> dict[str, np.ndarray]:
    """Weights of ``base`` with ``adapter``, in float32, by PEFT."""
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    return {name: value.numpy() for name, value in model.merge_and_unload().state_dict().items()}


def edited_config(adapter: Path, folder: Path, **values: Any) -> Path:
    """A copy of ``adapter`` in ``folder`` with other values in its configuration."""
    shutil.copytree(adapter, folder)
    config = json.loads((folder / CONFIG).read_text()) | values
    (folder / CONFIG).write_text(json.dumps(config))
    return folder


def edited_tensors(adapter: Path, folder: Path, **changes: Any) -> Path:
    """A copy of ``adapter`` in ``folder`` with other tensors: by ``rename`` (name to name or None), or as ``dtype``."""
    shutil.copytree(adapter, folder)
    tensors = load_file(folder / WEIGHTS)
    for old, new in changes.get("rename", {}).items():
        tensor = tensors.pop(old)
        tensors |= {} if new is None else {new: tensor}
    tensors |= changes.get("add", {})
    tensors = {name: tensor.to(changes.get("dtype", tensor.dtype)).contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / WEIGHTS)
    return folder
