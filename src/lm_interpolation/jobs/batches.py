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
    """Splits items into batches of ``size``, which is halved when memory runs out and stays so.

    On a CPU it runs out where an allocation fails, at the bound that ``compute.bound_memory`` has set.

    Make one for a whole job, so that nothing in it finds out twice what is too large.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def over(
        self, items: Sequence[Item], compute: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Yield each batch of ``items``, in their order, with ``compute(batch)``.

        A batch for which memory does not suffice is computed again in smaller ones, so ``compute`` must have no
        effects. The log says so. Raises ``UserError`` if the memory does not suffice for a single item.
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
            # Not before the exception is gone, whose traceback holds on to the tensors of the failed batch.
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
    # On a CPU torch has no class of its own for it.
    return "memory" if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) else None


def longest_first(encoded: Sequence[Sequence[int]], indices: Iterable[int]) -> list[int]:
    """``indices`` of texts, those with most tokens first: texts of similar length are then neighbours.

    The longest come first so that a batch size that is too large shows at once, not at the end.
    """
    return sorted(indices, key=lambda index: -len(encoded[index]))


def pad_right(
    sequences: Sequence[Sequence[int]], pad: int, device: "str | torch.device"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Token ids, padded on the right with ``pad``, and attention mask of ``sequences``: both (n, longest) int64.

    On the right nothing that a causal model computes for the tokens themselves can depend on the padding.
    """
    import torch

    longest = max(map(len, sequences))
    ids = torch.tensor([[*sequence, *[pad] * (longest - len(sequence))] for sequence in sequences])
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    mask = (torch.arange(longest) < lengths[:, None]).long()
    return ids.to(device), mask.to(device)
