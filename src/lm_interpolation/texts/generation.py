"""Batched sampling of continuations whose texts do not depend on the batch.

Every choice of a token is a function of the logits and of one random number that belongs to (seed, prompt row, sample,
step). So a smaller batch gives the same texts, and points of a sweep share their random numbers. Only rounding in
the model, which does depend on the shape of a batch, can flip a choice; the sampler is made to be insensitive to it
(see ``top_p_sample``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM
from transformers.cache_utils import DynamicLayer

from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import Progress, UserError, note
from lm_interpolation.models.loading import context_length, load_model, takes_cache
from lm_interpolation.models.special_tokens import SpecialTokens, encode, of_model
from lm_interpolation.points.logits import rows_at_once

TEXTS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("sample", pa.int32()),
        ("continuation", pa.string()),
        ("tokens", pa.int32()),
        ("stop", pa.string()),
    ]
)
"""Columns of a file of texts: new tokens are counted without the end-of-text token; stop is "eos" or "length"."""


@dataclass(frozen=True)
class Sampling:
    """How to sample: nucleus mass in (0, 1], length limit in new tokens, continuations per prompt, seed >= 0."""

    top_p: float
    max_new_tokens: int
    samples: int
    seed: int


@dataclass(frozen=True)
class _Sequence:
    """One continuation to be made: of the tokens of the prompt ``row``, the ``sample``-th one."""

    row: int
    sample: int
    prompt: list[int]


def uniforms(seed: int, row: int, sample: int, steps: int) -> npt.NDArray[np.float64]:
    """Random numbers in [0, 1), shape (steps,), each a function of (seed, row, sample, step) only.

    One stream of the counter-based generator Philox 4x64 (Salmon et al. 2011) for each (row, sample). The raw bits are
    used, which numpy guarantees to stay the same over its versions, unlike the distributions of ``Generator``.
    """
    # The lowest of the four words counts the draws of a stream.
    bits = np.random.Philox(key=seed, counter=[0, 0, sample, row]).random_raw(steps)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def top_p_sample(
    logits: torch.Tensor, u: torch.Tensor, top_p: float, nucleus_logits: torch.Tensor | None = None
) -> torch.Tensor:
    """Sample a token from the nucleus of each row: shapes (n, V) float and (n,) float64 -> (n,) int64.

    The nucleus (Holtzman et al. 2020) is the smallest set of most likely tokens with total probability >= ``top_p``,
    together with tokens exactly as likely as its last one (in 16 bits many are: a nucleus can hold visibly more than
    ``top_p``). The token is the argmax of logit + Gumbel noise (Gumbel-max trick), which is a sample from the
    renormalised nucleus; the noise is a hash of (u, token id). ``nucleus_logits`` (n, V), if given, decide which tokens
    make up the nucleus, and ``logits`` only on their odds.

    Why not invert the cumulative distribution at u: there a rounding error of one likely token moves the edges of all
    tokens behind it, so that the chance of a flip grows with the size of the nucleus. Here only the best two tokens
    matter: the chance is about the size of the error, whatever the vocabulary. For the same reason
    neighbouring points of a sweep, which share u, choose the same token more often.
    """
    deciding = logits if nucleus_logits is None else nucleus_logits
    rows, vocabulary = logits.shape
    # On a CPU torch finds a few of the best much faster than many (above 1/64 of the vocabulary it sorts differently).
    size = min(max(16, vocabulary // 64), 128, vocabulary)
    chosen = []
    kind = torch.promote_types(deciding.dtype, torch.float32)
    step = rows_at_once(vocabulary)
    for begin in range(0, rows, step):
        span = slice(begin, begin + step)
        probabilities = torch.softmax(deciding[span], dim=-1, dtype=kind)
        chosen.append(_choose(probabilities, logits[span], u[span], top_p, size))
    return torch.cat(chosen)


def _choose(
    probabilities: torch.Tensor, logits: torch.Tensor, u: torch.Tensor, top_p: float, size: int
) -> torch.Tensor:
    """``top_p_sample`` for nuclei of ``probabilities`` (n, V), found among the ``size`` best tokens where those do."""
    vocabulary = logits.shape[-1]
    top, tokens = probabilities.topk(size)
    before = top.cumsum(-1, dtype=torch.float64) - top
    inside = before < top_p
    inside = top >= top.masked_fill(~inside, torch.inf).amin(-1, keepdim=True)
    noisy = logits.gather(-1, tokens).double() + _gumbel(u, tokens)
    best = noisy.masked_fill(~inside, -torch.inf).argmax(-1, keepdim=True)
    chosen = tokens.gather(-1, best).squeeze(-1)
    if size < vocabulary:
        # Sorting the whole vocabulary would cost more than a small model: only where the nucleus may be wider.
        (wider,) = inside[:, -1].nonzero(as_tuple=True)
        if len(wider):
            size = min(8 * size, vocabulary)
            chosen[wider] = _choose(probabilities[wider], logits[wider], u[wider], top_p, size)
    return chosen


def _gumbel(u: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise for (n,) uniforms and (n, k) token ids, a function of each pair (u, id) only."""
    # SplitMix64 (Steele et al. 2014): the id-th output of the generator whose state is the bits of u.
    state = (u * 2.0**53).long()
    state = _mix(state).unsqueeze(-1) + (tokens + 1) * _signed(0x9E3779B97F4A7C15)
    uniform = ((_mix(state) >> 11 & (1 << 53) - 1).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform))


def _mix(state: torch.Tensor) -> torch.Tensor:
    """The output function of SplitMix64 on int64, whose products wrap around as unsigned ones do."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> shift & (1 << 64 - shift) - 1)) * _signed(factor)
    return state ^ (state >> 31 & (1 << 33) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


@dataclass(frozen=True)
class LanguageModel:
    """A loaded causal language model; ``name`` is how errors call it.

    ``special`` are its special tokens, ``context`` is the largest number of positions (None: no limit is known),
    ``vocabulary`` the number of logits.
    """

    name: str
    model: Any
    tokenizer: Any
    special: SpecialTokens
    context: int | None
    vocabulary: int


@dataclass(frozen=True)
class Mixture:
    """What texts are sampled from: next-token logits sum_m c_m z_m over ``members``, pairs (c_m, model m).

    The members share device, tokenizer and vocabulary. ``nucleus`` is the place of the member whose logits decide on
    the top-p nucleus; None: the sum decides. A member may have the coefficient 0.
    """

    members: tuple[tuple[float, LanguageModel], ...]
    nucleus: int | None = None

    @property
    def stops(self) -> frozenset[int]:
        """The tokens that end a continuation: those of any member that is not multiplied by 0."""
        return frozenset().union(*(model.special.stops for coefficient, model in self.members if coefficient))


def generate(
    model_dir: str | Path,
    prompts: pd.DataFrame,
    sampling: Sampling,
    batch_size: int,
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "fp32",
) -> pd.DataFrame:
    """Sample ``sampling.samples`` continuations of every prompt from a causal language model.

    Args:
        model_dir: Hugging Face directory with tokenizer.
        prompts, sampling, progress: see ``sample_texts``, also for what is returned.
        batch_size: sequences (prompt, sample) that are computed at once; fewer where GPU memory does not suffice.
        precision: see ``load_language_model``.

    Raises ``UserError`` if the model is incomplete, and what ``sample_texts`` raises.
    """
    model = load_language_model(model_dir, device, precision=precision)
    return sample_texts(Mixture(((1.0, model),)), prompts, sampling, AdaptiveBatches(batch_size), progress)


def sample_texts(
    mixture: Mixture,
    prompts: pd.DataFrame,
    sampling: Sampling,
    batches: AdaptiveBatches,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Sample ``sampling.samples`` continuations of every prompt.

    Args:
        mixture: one loaded model, or several whose logits are combined.
        prompts: columns ``row`` (unique integers: they key the random numbers) and ``text``.
        batches: of sequences (prompt, sample) that are computed at once; decide on memory and speed, not on texts.
        progress: counts texts.

    Returns a frame with the columns of ``TEXTS_SCHEMA``, ordered by (row, sample).

    Raises ``UserError`` naming the prompt row if a prompt has no tokens or does not leave room for the new ones in the
    smallest context of the members, or if a member gives NaN or infinite logits; and if GPU memory does not suffice for
    one sequence.
    """
    models = [model for _, model in mixture.members]
    tokenizer, special = models[0].tokenizer, models[0].special
    note(special.describe(tokenizer))
    prompt_ids = encode(tokenizer, prompts["text"].tolist(), special.start)
    encoded = {int(row): ids for row, ids in zip(prompts["row"], prompt_ids, strict=True)}
    contexts = [model.context for model in models if model.context is not None]
    _check_lengths(encoded, len(special.start), sampling.max_new_tokens, min(contexts, default=None))
    # Prompts of similar length together: less padding.
    order = sorted(encoded, key=lambda row: (len(encoded[row]), row))
    sequences = [_Sequence(row, sample, encoded[row]) for row in order for sample in range(sampling.samples)]
    prefixes = {row: tokenizer.decode(ids, **_DECODING) for row, ids in encoded.items()}
    records = []
    for batch, sampled in batches.over(sequences, lambda batch: _sample_batch(mixture, batch, sampling)):
        for sequence, (tokens, ended) in zip(batch, sampled, strict=True):
            # Decoded together with the prompt: on their own some tokenizers drop the leading space.
            text = tokenizer.decode([*sequence.prompt, *tokens], **_DECODING)[len(prefixes[sequence.row]) :]
            records.append((sequence.row, sequence.sample, text, len(tokens), "eos" if ended else "length"))
        if progress:
            progress.update(len(records))
    texts = pd.DataFrame(records, columns=TEXTS_SCHEMA.names)
    return texts.sort_values(["row", "sample"], ignore_index=True).astype({"sample": "int32", "tokens": "int32"})


_DECODING = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}


def write_texts(texts: pd.DataFrame, path: str | Path) -> None:
    """Write the frame of ``generate`` as Parquet with ``TEXTS_SCHEMA``, whole or not at all."""
    write_parquet(pa.Table.from_pandas(texts, schema=TEXTS_SCHEMA, preserve_index=False), path)


def load_language_model(
    model_dir: str | Path, device: str, name: str = "the model", precision: str = "fp32"
) -> LanguageModel:
    """Load a Hugging Face directory, its weights cast to ``precision``, in evaluation mode, with its tokenizer.

    Raises ``UserError`` if the folder is damaged or incomplete (see ``load_model``), or as ``language_model`` does.
    """
    model, tokenizer = load_model(AutoModelForCausalLM, model_dir, device, precision)
    return language_model(model, tokenizer, name)


def language_model(model: Any, tokenizer: Any, name: str = "the model") -> LanguageModel:
    """A causal language model of transformers, in evaluation mode, as texts are sampled from it.

    Raises ``UserError`` if its architecture keeps no cache of keys and values that texts could go on from (Mamba, say).
    """
    if not takes_cache(model):
        raise UserError(
            f"{name}: {type(model).__name__} keeps no cache of keys and values, without which texts cannot be sampled "
            "here; choose another architecture"
        )
    return LanguageModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        special=of_model(model, tokenizer),
        context=context_length(model, tokenizer),
        vocabulary=model.config.vocab_size,
    )


def _check_lengths(encoded: dict[int, list[int]], start: int, max_new_tokens: int, context: int | None) -> None:
    """``start`` is how many special tokens each of the prompts begins with."""
    for row, ids in encoded.items():
        if len(ids) == start:
            raise UserError(f"prompt row {row}: has no tokens; remove the empty prompt")
        if context is not None and len(ids) + max_new_tokens > context:
            raise UserError(
                f"prompt row {row}: {len(ids)} tokens + max_new_tokens {max_new_tokens} exceed the model's context of "
                f"{context}; shorten the prompt or lower max_new_tokens"
            )


@torch.inference_mode()
def _sample_batch(mixture: Mixture, batch: Sequence[_Sequence], sampling: Sampling) -> list[tuple[list[int], bool]]:
    """(new tokens without the end token, whether it came) of each sequence, computed in one batch."""
    models = [model for _, model in mixture.members]
    stops = mixture.stops
    device = models[0].model.device
    steps = sampling.max_new_tokens
    draws = np.stack([uniforms(sampling.seed, sequence.row, sequence.sample, steps) for sequence in batch])
    # Samples of a prompt share its computation: each prompt goes through the model once, then its cache is copied.
    distinct = list({sequence.row: sequence.prompt for sequence in batch}.items())
    place = {row: index for index, (row, _) in enumerate(distinct)}
    longest = max(len(ids) for _, ids in distinct)
    # Padded on the left, so that the last position is the newest token of every sequence.
    input_ids = torch.tensor([[0] * (longest - len(ids)) + ids for _, ids in distinct], device=device)
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for _, ids in distinct], device=device)
    position_ids = (mask.cumsum(-1) - 1).clamp(min=0)
    copies = torch.tensor([place[sequence.row] for sequence in batch], device=device)
    caches, logits = [], []  # of each model
    for member in models:
        output = member.model(
            input_ids=input_ids, attention_mask=mask, position_ids=position_ids, use_cache=True, logits_to_keep=1
        )
        caches.append(_copy_with_room(output.past_key_values, copies, steps - 1))
        logits.append(output.logits[copies, -1])
    mask, positions = F.pad(mask[copies], (0, steps), value=1), position_ids[copies, -1]

    new_tokens: list[list[int]] = [[] for _ in batch]
    ended = [False] * len(batch)
    active = list(range(len(batch)))  # the places in `batch` of the sequences that the caches hold
    for step in range(steps):
        for member, values in zip(models, logits, strict=True):
            _check_finite(values, member.name, [None if ended[index] else batch[index] for index in active], step)
        tokens = top_p_sample(
            _combine(mixture, logits),
            torch.from_numpy(draws[active, step]).to(device),
            sampling.top_p,
            None if mixture.nucleus is None else logits[mixture.nucleus],
        )
        for index, token in zip(active, tokens.tolist(), strict=True):
            if token in stops:
                ended[index] = True
            elif not ended[index]:
                new_tokens[index].append(token)
        going = [slot for slot, index in enumerate(active) if not ended[index]]
        if not going or step == steps - 1:
            break
        # Dropping sequences costs something as well: not before a tenth of them have ended.
        if len(going) <= 0.9 * len(active):
            slots = _fill_gaps(going)
            keep = torch.tensor(slots, device=device)
            for cache in caches:
                cache.batch_select_indices(keep)
            tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
            active = [active[slot] for slot in slots]
        positions = positions + 1
        for place_of_member, (member, cache) in enumerate(zip(models, caches, strict=True)):
            output = member.model(
                input_ids=tokens[:, None],
                attention_mask=mask[:, : longest + step + 1],
                position_ids=positions[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            logits[place_of_member] = output.logits[:, -1]
    return list(zip(new_tokens, ended, strict=True))


def _fill_gaps(going: list[int]) -> list[int]:
    """The slots ``going``, in ascending order, rearranged such that as many as possible stay where they are."""
    count = len(going)
    stay = {slot for slot in going if slot < count}
    movers = iter(slot for slot in going if slot >= count)
    return [slot if slot in stay else next(movers) for slot in range(count)]


def _copy_with_room(cache: Any, copies: torch.Tensor, room: int) -> Any:
    """``cache`` with the sequences ``copies`` (n,) of it, and memory for ``room`` more positions of each."""
    for place, layer in enumerate(cache.layers):
        # Layers that hold something else than all positions (sliding windows, states) see to their memory themselves.
        if type(layer) is DynamicLayer and layer.is_initialized:
            cache.layers[place] = _RoomyLayer(layer, copies, room)
        else:
            layer.batch_select_indices(copies)
    return cache


class _RoomyLayer(DynamicLayer):
    """Keys and values of a layer with room for ``room`` more positions.

    A ``DynamicLayer`` is copied as a whole at each step, and whenever sequences are dropped.
    """

    def __init__(self, layer: DynamicLayer, copies: torch.Tensor, room: int) -> None:
        """Of ``layer``, the sequences ``copies`` (n,)."""
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self._filled = layer.keys.shape[-2]
        self._buffers = []
        for filled in (layer.keys, layer.values):
            _, heads, _, width = filled.shape
            # In memory all heads of a position lie together: written at once, as the model computes them.
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
        """Keep the sequences ``indices``, at most as many as there are: those that change their place are copied."""
        (moved,) = (indices != torch.arange(len(indices), device=indices.device)).nonzero(as_tuple=True)
        for place, buffer in enumerate(self._buffers):
            buffer[moved, :, : self._filled] = buffer[indices[moved], :, : self._filled]
            self._buffers[place] = buffer[: len(indices)]
        self._show()


def _combine(mixture: Mixture, logits: list[torch.Tensor]) -> torch.Tensor:
    """The sum, in float64, of coefficient x logits (n, V) of each member; a single model's logits as they are."""
    coefficients = [coefficient for coefficient, _ in mixture.members]
    if coefficients == [1.0]:
        return logits[0]
    total = torch.zeros_like(logits[0], dtype=torch.float64)
    for coefficient, values in zip(coefficients, logits, strict=True):
        total.add_(values, alpha=coefficient)
    return total


def _check_finite(logits: torch.Tensor, name: str, sequences: list[_Sequence | None], step: int) -> None:
    """Raises ``UserError`` for logits (n, V) that are not finite; None among ``sequences`` stands for any logits."""
    # A sum is finite only where all are: one pass. Then the members' sum is, too: float32 cannot leave float64.
    finite = torch.isfinite(logits.sum(-1, dtype=torch.float32))
    if finite.all():
        return
    half = "needs numbers beyond the range of fp16 (choose bf16 or fp32), " if logits.dtype == torch.float16 else ""
    for sequence, fine in zip(sequences, finite.tolist(), strict=True):
        if sequence and not fine:
            raise UserError(
                f"prompt row {sequence.row}, sample {sequence.sample}, new token {step + 1}: {name} gives NaN or "
                f"infinite logits; it {half}is damaged or, if it was merged, too far from its parents (use smaller "
                "coefficients)"
            )
