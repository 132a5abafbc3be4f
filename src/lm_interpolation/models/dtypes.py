"""The floating-point formats that a study can choose for inference."""

from typing import TYPE_CHECKING

# Tables and figures read score files, and thereby import this module.
if TYPE_CHECKING:
    import torch


def torch_dtype(precision: str) -> "torch.dtype":
    """The dtype that a study calls ``fp32``, ``bf16`` or ``fp16``."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
