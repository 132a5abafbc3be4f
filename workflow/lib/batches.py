"""Batches of token sequences: padded, and of a size that fits into GPU memory.

torch is imported where it is needed: modules that read results of models, but run none, import this one too.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from workflow.lib.runtime import UserError, announce

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class AdaptiveBatches:
    """Splits items into batches of ``size``, which is halved when CUDA runs out of memory and stays so.

    Make one for a whole job, so that nothing in it finds out twice what is too large.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def over(
        self, items: Sequence[Item], compute: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Yield each batch of ``items``, in their order, with ``compute(batch)``.

        A batch for which CUDA's memory does not suffice is computed again in smaller ones, so ``compute`` must have no
        effects. The log says so. Raises ``UserError`` if the memory does not suffice for a single item.
        """
        import torch

        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            try:
                result = compute(batch)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise UserError(
                        f"GPU memory does not suffice for one text at a time ({str(error).splitlines()[0]}); free "
                        "memory that other programs hold on this GPU (nvidia-smi), use a larger GPU, or ask for fewer "
                        "tokens or a smaller model"
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
                f"GPU memory does not suffice for {len(batch)} texts at once: from here on {self.size} "
                "(compute.batch_size says with how many a job starts)"
            )


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
