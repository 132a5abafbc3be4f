"""Key-value caches with room for future tokens."""

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer


def fill_gaps(going: list[int]) -> list[int]:
    """The ascending slots ``going``, rearranged so that as many as possible stay in place."""
    count = len(going)
    stay = {slot for slot in going if slot < count}
    movers = iter(slot for slot in going if slot >= count)
    return [slot if slot in stay else next(movers) for slot in range(count)]


def copy_with_room(cache: Any, copies: torch.Tensor, room: int) -> Any:
    """A copy of ``cache`` with its sequences ``copies`` (n,) and memory for ``room`` more positions of each."""
    for place, layer in enumerate(cache.layers):
        # Layers that do not hold all positions (sliding windows, states) manage their memory themselves.
        if type(layer) is DynamicLayer and layer.is_initialized:
            cache.layers[place] = _RoomyLayer(layer, copies, room)
        else:
            layer.batch_select_indices(copies)
    return cache


class _RoomyLayer(DynamicLayer):
    """Keys and values of a layer with room for ``room`` more positions.

    A ``DynamicLayer`` would be copied as a whole at each step, and whenever sequences are dropped.
    """

    def __init__(self, layer: DynamicLayer, copies: torch.Tensor, room: int) -> None:
        """Take the sequences ``copies`` (n,) of ``layer``."""
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self._filled = layer.keys.shape[-2]
        self._buffers = []
        for filled in (layer.keys, layer.values):
            _, heads, _, width = filled.shape
            # All heads of a position are contiguous in memory: the model computes them together, so they are written at
            # once.
            buffer = filled.new_empty(len(copies), self._filled + room, heads, width).transpose(1, 2)
            torch.index_select(filled, 0, copies, out=buffer[:, :, : self._filled])
            self._buffers.append(buffer)
        self._show()

    def _show(self) -> None:
        self.keys, self.values = (buffer[:, :, : self._filled] for buffer in self._buffers)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start, self._filled = self._filled, self._filled + key_states.shape[-2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start : self._filled] = states
        self._show()
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only the sequences ``indices``; those that change their place are copied."""
        (moved,) = (indices != torch.arange(len(indices), device=indices.device)).nonzero(as_tuple=True)
        for place, buffer in enumerate(self._buffers):
            buffer[moved, :, : self._filled] = buffer[indices[moved], :, : self._filled]
            self._buffers[place] = buffer[: len(indices)]
        self._show()
