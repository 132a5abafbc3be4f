"""How much fine-tuning contributes to what a model computes for one text: the tuning contribution, TuCo.

Both models read the residual stream of the fine-tuned one. In block l the pretrained model would add PTC_l = f_l(x_l),
and fine-tuning adds FTC_l, what the block of the fine-tuned model adds beyond that. Summed over blocks, at the last
token of the text, and in the norm that adds absolute values:

    TuCo = |sum_l FTC_l| / (|sum_l PTC_l| + |sum_l FTC_l|), from 0 to 1.

Source: Nuti, Franzmeyer and Henriques 2025 (arXiv 2506.23423), Definition 4.3 and Algorithm 1.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lm_interpolation.analyses.losses import encode_texts
from lm_interpolation.jobs.batches import longest_first, pad_right
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.layer_space import LayerSpace

OnDone = Callable[[int], object]


@dataclass(frozen=True)
class Contributions:
    """Sizes of what is added to the residual stream of each text at its last token: sums of absolute values, float64.

    ``pretraining`` and ``tuning`` (n,) are those of the sums over blocks, PTC and FTC; ``pretraining_blocks`` and
    ``tuning_blocks`` (n, blocks) those of each block. ``tokens`` (n,) int64 counts the tokens of the texts.
    """

    tokens: npt.NDArray[np.int64]
    pretraining: npt.NDArray[np.float64]
    tuning: npt.NDArray[np.float64]
    pretraining_blocks: npt.NDArray[np.float64]
    tuning_blocks: npt.NDArray[np.float64]

    @property
    def tuco(self) -> npt.NDArray[np.float64]:
        """TuCo of each text, (n,)."""
        return self.tuning / (self.pretraining + self.tuning)

    @property
    def tuco_blocks(self) -> npt.NDArray[np.float64]:
        """The same of each block alone, (n, blocks)."""
        return self.tuning_blocks / (self.pretraining_blocks + self.tuning_blocks)


def tuning_contributions(
    space: LayerSpace,
    model: str,
    base: str,
    texts: Mapping[str, Sequence[str]],
    batch_size: int,
    progress: OnDone | None = None,
) -> Contributions:
    """The contributions to ``texts`` (group -> texts), in this order, of the fine-tuning of ``model`` from ``base``.

    ``space`` holds both, in float32: FTC is the small difference of two outputs, and is mostly rounding in 16 bits.
    ``batch_size`` texts are read at once, fewer if memory does not suffice; values depend on it only by rounding.
    ``progress`` is called with the number of texts done.

    Raises ``UserError`` naming the text if a model cannot read all of it, or if it gives NaN or infinite values.
    """
    space.set_point(Point.of({model: 1}))
    live, tokenizer = space.model, space.members[model][1]
    encoded = encode_texts(live, tokenizer, texts, batch_size)
    count, blocks = len(encoded.ids), len(space.blocks(model))
    found = np.empty((count, 2, 1 + blocks))
    done = 0
    read = partial(_read, space, model, base, encoded.ids)
    for batch, sizes in encoded.batches.over(longest_first(encoded.ids, range(count)), read):
        found[batch] = sizes
        done += len(batch)
        if progress:
            progress(done)
    finite = np.isfinite(found).all(axis=(1, 2))
    if not finite.all():
        name = encoded.names[int(np.argmin(finite))]
        raise UserError(f"{name}: {model} or {base} gives NaN or infinite values; it is damaged, train it again")
    tokens = np.array([len(ids) for ids in encoded.ids], dtype=np.int64)
    return Contributions(tokens, found[:, 0, 0], found[:, 1, 0], found[:, 0, 1:], found[:, 1, 1:])


@torch.inference_mode()
def _read(
    space: LayerSpace, model: str, base: str, encoded: Sequence[Sequence[int]], batch: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Sizes (n, 2, 1 + blocks) for some texts: of PTC and of FTC, of the sum over blocks and then of each block."""
    ids, mask = pad_right([encoded[index] for index in batch], 0, space.model.device)
    rows, last = torch.arange(len(batch), device=ids.device), mask.sum(-1) - 1
    added: list[torch.Tensor] = []

    def watch(plain: torch.nn.Module) -> Any:
        def note(_: torch.nn.Module, inputs: tuple[Any, ...], options: dict[str, Any], output: torch.Tensor) -> None:
            stream = inputs[0][rows, last].double()
            pretrained = plain(*inputs, **options)[rows, last].double()
            added.append(torch.stack([pretrained - stream, output[rows, last].double() - pretrained]))

        return note

    with contextlib.ExitStack() as stack:
        for tuned, plain in zip(space.blocks(model), space.blocks(base), strict=True):
            stack.enter_context(_removed(tuned.register_forward_hook(watch(plain), with_kwargs=True)))
        space.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
    # (2, n, 1 + blocks, width)
    parts = torch.stack([torch.stack(added).sum(0), *added], dim=2)
    return parts.abs().sum(-1).transpose(0, 1).cpu().numpy()


@contextlib.contextmanager
def _removed(hook: Any) -> Any:
    """``hook``, which is removed in the end."""
    try:
        yield hook
    finally:
        hook.remove()
