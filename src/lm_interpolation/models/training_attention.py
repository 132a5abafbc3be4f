"""Attention in float32 within a training in bf16 on a CPU.

torch's gradient of bf16 attention takes four times as long there as that of float32 attention: for 32 texts of 64
tokens, 9 heads of 64, one layer took 49 ms in bf16 and 21 in float32 (torch 2.13, AVX-512 BF16).
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_in_float32"


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """``sdpa`` of transformers, computed in float32; the output, and what is kept for the gradient, as ``value``."""
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    if options.get("position_bias") is not None:
        options["position_bias"] = options["position_bias"].float()
    kept_in = value.dtype
    # Forward and backward use the same numbers: rotated queries and keys are float32, and are kept in fewer bits.
    query, key = query.to(kept_in), key.to(kept_in)

    def keep(saved: torch.Tensor) -> torch.Tensor:
        # Queries, keys, values and the output. The logarithms of the softmax, one per query, stay in float32.
        return saved.to(kept_in) if saved.ndim == 4 and saved.dtype == torch.float32 else saved

    def restore(saved: torch.Tensor) -> torch.Tensor:
        return saved.float() if saved.ndim == 4 and saved.dtype == kept_in else saved

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, restore)
    with torch.autocast(query.device.type, enabled=False), hooks:
        output, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, **options)
    return output.to(value.dtype), None


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


class AttentionInFloat32:
    """Context in which ``model`` computes its attention in float32; without effect on models that do not use ``sdpa``.

    The model's configuration is as before in the end.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._applies = model.config._attn_implementation == "sdpa" and model._can_set_attn_implementation()

    def __enter__(self) -> None:
        if self._applies:
            self._model.set_attn_implementation(NAME)

    def __exit__(self, *_: object) -> None:
        if self._applies:
            self._model.set_attn_implementation("sdpa")
