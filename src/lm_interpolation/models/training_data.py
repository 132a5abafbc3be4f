"""What a training reads in each step: blocks of tokens or labelled texts, shared among processes."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lm_interpolation.models.blocks import IGNORED


class Blocks(Dataset):
    """Blocks of token ids for causal language modelling, with labels: the model shifts them itself.

    The item after the last one is a blank: a block without labels, which adds nothing to a loss or its gradient.
    """

    def __init__(self, blocks: np.ndarray, labels: np.ndarray) -> None:
        self.blocks, self.labels = torch.from_numpy(blocks.astype(np.int64)), torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        # The mask is given because the tokens that end a text also serve as padding, which they are not here.
        blank = index == len(self)
        block = self.blocks[0 if blank else index]
        labels = torch.full_like(block, IGNORED) if blank else self.labels[index]
        return {"input_ids": block, "labels": labels, "attention_mask": torch.ones_like(block)}


class Labelled(Dataset):
    """Token ids and class index of each text; padded by the collator."""

    def __init__(self, ids: Sequence[Sequence[int]], labels: Sequence[int]) -> None:
        self.ids, self.labels = ids, labels

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.ids[index], "labels": self.labels[index]}


class Shares(Sampler[list[int]]):
    """The batches of one of several processes, in parts of at most ``part`` items.

    The shares of all processes make up the batches that a single process has: the order of ``items`` in an epoch is
    that of accelerate's sampler, and the last batch of an epoch holds what is left. If that is not a multiple of the
    number of processes, the others get a blank (index ``items``): all take the same number of parts, since each waits
    for the others.
    """

    def __init__(self, items: int, batch_size: int, part: int, rank: int, processes: int, seed: int) -> None:
        self.items, self.batch_size, self.part = items, batch_size, part
        self.rank, self.processes, self.seed = rank, processes, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(self.items, self.batch_size)
        return full * self._parts(self.batch_size) + self._parts(rest)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.items, generator=torch.Generator().manual_seed(self.seed + self.epoch)).tolist()
        for start in range(0, self.items, self.batch_size):
            batch = order[start : start + self.batch_size]
            share = batch[self.rank :: self.processes]
            share += [self.items] * (math.ceil(len(batch) / self.processes) - len(share))
            for first in range(0, len(share), self.part):
                yield share[first : first + self.part]

    def _parts(self, batch: int) -> int:
        return math.ceil(math.ceil(batch / self.processes) / self.part)


class ShareLoader(DataLoader):
    """Batches of ``Shares``, in a different order in each epoch."""

    def __init__(self, data: Dataset, shares: Shares) -> None:
        # A generator of its own: the default one, which decides on dropout, must go on from a checkpoint untouched.
        super().__init__(data, batch_sampler=shares, generator=torch.Generator())
        self.shares = shares

    def set_epoch(self, epoch: int) -> None:
        self.shares.set_epoch(epoch)
