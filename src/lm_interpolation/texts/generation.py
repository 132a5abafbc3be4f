"""Batched sampling of continuations whose texts do not depend on the batch.

Every choice of a token is a function of the logits and of one random number that belongs to (seed, prompt row, sample,
step). So a smaller batch gives the same texts, and points of a sweep share their random numbers. Only rounding in the
model, which does depend on the shape of a batch, can flip a choice; the sampler is designed to be insensitive to it
(see ``top_p_sample``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
import torch.nn.functional as F

from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import Progress, UserError, note
from lm_interpolation.models.special_tokens import encode
from lm_interpolation.texts.caches import copy_with_room, fill_gaps
from lm_interpolation.texts.language_models import Mixture, load_language_model
from lm_interpolation.texts.sampler import top_p_sample, uniforms

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
    """One continuation to sample: number ``sample`` of the prompt ``row``, whose tokens it follows."""

    row: int
    sample: int
    prompt: list[int]


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
        batch_size: sequences (prompt, sample) computed at once; fewer if GPU memory does not suffice.
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
        prompts: columns ``row`` (unique integers, which key the random numbers) and ``text``.
        batches: of sequences (prompt, sample) computed at once; they affect memory and speed, not the texts.
        progress: counts texts.

    Returns a frame with the columns of ``TEXTS_SCHEMA``, ordered by (row, sample).

    Raises ``UserError`` naming the prompt row if a prompt has no tokens or leaves no room for new ones in the smallest
    context of the members, or if a member gives NaN or infinite logits. It is also raised if GPU memory does not
    suffice for one sequence.
    """
    models = [model for _, model in mixture.members]
    tokenizer, special = models[0].tokenizer, models[0].special
    note(special.describe(tokenizer))
    prompt_ids = encode(tokenizer, prompts["text"].tolist(), special.start)
    encoded = {int(row): ids for row, ids in zip(prompts["row"], prompt_ids, strict=True)}
    contexts = [model.context for model in models if model.context is not None]
    _check_lengths(encoded, len(special.start), sampling.max_new_tokens, min(contexts, default=None))
    # Batching prompts of similar length reduces padding.
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
    """Write the frame of ``generate`` as Parquet with ``TEXTS_SCHEMA``, atomically."""
    write_parquet(pa.Table.from_pandas(texts, schema=TEXTS_SCHEMA, preserve_index=False), path)


def _check_lengths(encoded: dict[int, list[int]], start: int, max_new_tokens: int, context: int | None) -> None:
    """``start`` is the number of special tokens at the beginning of each prompt."""
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
    """(new tokens without the end token, whether the end token came) for each sequence, computed in one batch."""
    models = [model for _, model in mixture.members]
    vocabulary = min(model.vocabulary for model in models)
    stops = mixture.stops
    device = models[0].model.device
    steps = sampling.max_new_tokens
    draws = np.stack([uniforms(sampling.seed, sequence.row, sequence.sample, steps) for sequence in batch])
    # Samples of a prompt share computation: each prompt goes through the model once, then its cache is copied.
    distinct = list({sequence.row: sequence.prompt for sequence in batch}.items())
    place = {row: index for index, (row, _) in enumerate(distinct)}
    longest = max(len(ids) for _, ids in distinct)
    # Padding on the left makes the last position the newest token of every sequence.
    input_ids = torch.tensor([[0] * (longest - len(ids)) + ids for _, ids in distinct], device=device)
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for _, ids in distinct], device=device)
    position_ids = (mask.cumsum(-1) - 1).clamp(min=0)
    copies = torch.tensor([place[sequence.row] for sequence in batch], device=device)
    caches, logits = [], []  # of each model
    for member in models:
        output = member.model(
            input_ids=input_ids, attention_mask=mask, position_ids=position_ids, use_cache=True, logits_to_keep=1
        )
        caches.append(copy_with_room(output.past_key_values, copies, steps - 1))
        logits.append(output.logits[copies, -1, :vocabulary])
    mask, positions = F.pad(mask[copies], (0, steps), value=1), position_ids[copies, -1]

    new_tokens: list[list[int]] = [[] for _ in batch]
    ended = [False] * len(batch)
    active = list(range(len(batch)))  # indices in `batch` of the sequences that the caches hold
    for step in range(steps):
        for member, values in zip(models, logits, strict=True):
            _check_finite(values, member.name, [None if ended[index] else batch[index] for index in active], step)
        texts = [batch[index].prompt + new_tokens[index] for index in active] if mixture.experts else []
        tokens = top_p_sample(
            _combine(mixture, logits, texts),
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
        # Dropping sequences has a cost, too: wait until a tenth of them have ended.
        if len(going) <= 0.9 * len(active):
            slots = fill_gaps(going)
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
            logits[place_of_member] = output.logits[:, -1, :vocabulary]
    return list(zip(new_tokens, ended, strict=True))


def _combine(mixture: Mixture, logits: list[torch.Tensor], texts: list[list[int]]) -> torch.Tensor:
    """The float64 sum of coefficient x logits (n, V) over members and experts; those of a single model as they are.

    ``texts`` are the tokens so far of each sequence, for experts.
    """
    coefficients = [coefficient for coefficient, _ in mixture.members]
    if coefficients == [1.0] and not mixture.experts:
        return logits[0]
    total = torch.zeros_like(logits[0], dtype=torch.float64)
    for coefficient, values in zip(coefficients, logits, strict=True):
        total.add_(values, alpha=coefficient)
    for coefficient, expert in mixture.experts:
        total.add_(expert.log_odds(logits, texts), alpha=coefficient)
    return total


def _check_finite(logits: torch.Tensor, name: str, sequences: list[_Sequence | None], step: int) -> None:
    """Raises ``UserError`` for logits (n, V) that are not finite; None among ``sequences`` stands for any logits."""
    # A sum is finite only if all terms are, so one pass suffices. Sums over members stay finite: float32 cannot
    # overflow float64.
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
