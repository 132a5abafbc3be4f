"""Batches that fit into GPU memory: where it runs out, smaller ones are computed instead."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from workflow.lib.runtime import UserError, announce

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
        # Here, for the sake of modules that read results of models, but run none.
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
