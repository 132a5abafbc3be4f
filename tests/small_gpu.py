"""Models that run out of GPU memory, on a machine without a GPU."""

import functools
from typing import Any

import pytest
import torch


def limit_memory(monkeypatch: pytest.MonkeyPatch, *model_classes: Any, rows: int) -> list[int]:
    """Let models fail as CUDA does when they are given more than ``rows`` sequences at once: the sizes that failed."""
    failed: list[int] = []
    for model_class in model_classes:
        # Wrapped, so that its signature stays: it tells what a model can do.
        @functools.wraps(model_class.forward)
        def forward(self: Any, *, input_ids: torch.Tensor, original: Any = model_class.forward, **rest: Any) -> Any:
            if len(input_ids) > rows:
                failed.append(len(input_ids))
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            return original(self, input_ids=input_ids, **rest)

        monkeypatch.setattr(model_class, "forward", forward)
    return failed


def halvings(capsys: pytest.CaptureFixture[str]) -> int:
    """How many new lines of the log say that batches were made smaller."""
    return capsys.readouterr().err.count("GPU memory does not suffice for")
