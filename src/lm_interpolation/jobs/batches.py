"""Batches of token sequences: padded, and of a size that fits into memory, that of a GPU or of the machine.

torch is imported where it is needed: modules that read results of models, but run none, import this one too.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from lm_interpolation.jobs.runtime import UserError, announce

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class AdaptiveBatches:
    """Splits items into batches of ``size``, which is halved for good when memory runs out.

    On a CPU memory runs out when an allocation fails, at the bound that ``compute.bound_memory`` has set.

    Make one for a whole job, so that the job learns only once what is too large.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def over(
        self, items: Sequence[Item], compute: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Yield each batch of ``items``, in their order, with ``compute(batch)``.

        A batch that does not fit into memory is computed again in smaller ones, so ``compute`` must have no side
        effects. The log says so. Raises ``UserError`` if a single item does not fit.
        """
        import torch

        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            try:
                result = compute(batch)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                memory = _exhausted(error)
                if memory is None:
                    raise
                if len(batch) == 1:
                    other = "this GPU (nvidia-smi), use a larger GPU" if memory == "GPU memory" else "this machine"
                    raise UserError(
                        f"{memory} does not suffice for one text at a time ({str(error).splitlines()[0]}); free "
                        f"memory that other programs hold on {other}, or ask for fewer tokens or a smaller model"
                    ) from error
                self.size = len(batch) // 2
            else:
                start += len(batch)
                yield batch, result
                continue
            # Only after the exception is gone: its traceback keeps the tensors of the failed batch alive.
            gc.collect()
            torch.cuda.empty_cache()
            announce(
                f"{memory} does not suffice for {len(batch)} texts at once: from here on {self.size} "
                "(compute.batch_size says with how many a job starts)"
            )


def _exhausted(error: Exception) -> str | None:
    """Which memory ran out, or None if ``error`` is about something else."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return "GPU memory"
    # On a CPU torch has no separate class for it.
    return "memory" if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) else None


def longest_first(encoded: Sequence[Sequence[int]], indices: Iterable[int]) -> list[int]:
    """``indices`` of texts, those with most tokens first, so that texts of similar length are neighbours.

    The longest come first, so that a batch size that is too large fails at once, not at the end.
    """
    return sorted(indices, key=lambda index: -len(encoded[index]))


def pad_right(
    sequences: Sequence[Sequence[int]], pad: int, device: "str | torch.device"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Token ids, padded on the right with ``pad``, and attention mask of ``sequences``: both (n, longest) int64.

    With padding on the right, what a causal model computes for the tokens cannot depend on the padding.
    """
    import torch

    longest = max(map(len, sequences))
    ids = torch.tensor([[*sequence, *[pad] * (longest - len(sequence))] for sequence in sequences])
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    mask = (torch.arange(longest) < lengths[:, None]).long()
    return ids.to(device), mask.to(device)
