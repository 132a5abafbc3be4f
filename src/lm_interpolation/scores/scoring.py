"""Scores of generated texts: classifier probabilities, perplexity under a judge LM, distinct-n; and their files.

A *scorer* is one entry of the config's ``scorers`` (kinds ``classifier``, ``perplexity``, ``distinct``). Its scores
are kept raw, one row per text, so that every average, ratio and interval is taken later (``tables.py``). Scores do
not depend on the batch size beyond rounding: texts are padded on the right and masked.
"""

import copy
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lm_interpolation.data.parquet import read_parquet, write_parquet
from lm_interpolation.jobs.batches import AdaptiveBatches, longest_first, pad_right
from lm_interpolation.jobs.runtime import UserError, announce, note
from lm_interpolation.models.classifiers import class_probabilities, encode_for_classifier
from lm_interpolation.models.loading import context_length, load_model, takes_cache
from lm_interpolation.models.special_tokens import describe_for_classifier, encode_with_offsets, of_model
from lm_interpolation.points.algebra import Sweep, line_owner

# torch and transformers are imported in the functions that run a model: tables and figures read score files too.
PathLike = str | os.PathLike[str]
OnDone = Callable[[int], object]
"""Called with the number of texts done so far, e.g. ``Progress(...).update``."""


def read_line_texts(texts: Sequence[PathLike], points: Sequence[str], prompts: PathLike) -> pd.DataFrame:
    """The texts of a line's points, in their order, with their prompts: one row per text.

    ``texts`` are the files of ``points`` (ids), ``prompts`` is the file that they were generated from. Columns:
    ``point``, ``row``, ``sample``, ``prompt``, ``continuation``. Raises ``UserError`` if a text has no prompt.
    """
    frames = [
        read_parquet(path, ["row", "sample", "continuation"]).to_pandas().assign(point=point)
        for path, point in zip(texts, points, strict=True)
    ]
    by_row = read_parquet(prompts).to_pandas().set_index("row")["text"]
    joined = pd.concat(frames, ignore_index=True)
    joined["prompt"] = joined["row"].map(by_row)
    lost = joined[joined["prompt"].isna()]
    if len(lost):
        raise UserError(
            f"{prompts}: no prompt of row {lost['row'].iloc[0]}, which texts were generated from; rerun them"
        )
    return joined[["point", "row", "sample", "prompt", "continuation"]]


def score_classifier(
    model_dir: PathLike,
    texts: Sequence[str],
    batch_size: int,
    device: str = "cpu",
    labels: Mapping[str, str] | None = None,
    progress: OnDone | None = None,
    precision: str = "fp32",
    too_long: str = "error",
) -> pd.DataFrame:
    """Class probabilities of each text under a sequence classifier, in the order of ``texts``.

    ``model_dir`` is a Hugging Face directory (safetensors, or a pickle read with weights_only). ``labels`` renames
    classes of the model's ``id2label``. Returns one nullable float32 column ``p_<class>`` per class (see
    ``class_probabilities``). A text of which the tokenizer makes no token at all has no score: its row is null.
    Texts longer than the model can read are an ``error``, or are ``cut`` by the tokenizer, or, with ``drop``, have no
    score.

    Raises ``UserError`` if the directory is not a whole classifier with a padding token, if ``labels`` do not match its
    classes, if texts are too long, or if a logit is not finite.
    """
    from transformers import AutoModelForSequenceClassification

    model, tokenizer = load_model(AutoModelForSequenceClassification, model_dir, device, precision)
    classes = class_names(model.config.id2label, labels, model_dir)
    if model.config.pad_token_id is None:
        # GPT-2 classifies from the last token that is not padding: without the id it would read the padding.
        raise UserError(f"{model_dir}: config.json has no pad_token_id; set it (and train the classifier with it)")
    note(describe_for_classifier(tokenizer))
    encoded, limit = encode_for_classifier(tokenizer, texts), context_length(model, tokenizer)
    over = _too_long(encoded, texts, limit, model_dir, too_long)
    for index, cut in zip(over, encode_for_classifier(tokenizer, [texts[index] for index in over], limit), strict=True):
        encoded[index] = cut if too_long == "cut" else []
    probabilities = np.zeros((len(texts), len(classes)), dtype=np.float32)
    done = sum(not tokens for tokens in encoded)
    for batch, values in class_probabilities(model, encoded, AdaptiveBatches(batch_size)):
        finite = np.isfinite(values).all(axis=-1)
        if not finite.all():
            index = batch[int(np.argmin(finite))]
            raise UserError(f"{model_dir}: a logit of {show_text(index, texts[index])} is not finite; {_remedy(model)}")
        probabilities[batch] = values
        done += len(batch)
        if progress:
            progress(done)
    empty = np.array([not tokens for tokens in encoded], dtype=bool)
    columns = zip(classes, probabilities.T, strict=True)
    return pd.DataFrame({f"p_{name}": pd.Series(values, dtype="Float32").mask(empty) for name, values in columns})


def class_names(id2label: Mapping[int, str], labels: Mapping[str, str] | None, model_dir: PathLike) -> list[str]:
    """Names of the classes in the order of the logits, renamed by ``labels``. Raises ``UserError`` on a mismatch."""
    original = [str(id2label[index]) for index in range(len(id2label))]
    unknown = sorted(set(labels or {}) - set(original))
    if unknown:
        raise UserError(f"{model_dir}: labels renames {unknown}, but the model's classes are {original}")
    names = [(labels or {}).get(name, name) for name in original]
    if len(set(names)) != len(names) or len(names) < 2:
        raise UserError(f"{model_dir}: classes {names} must be two or more, with different names; see labels")
    return names


def score_perplexity(
    model_dir: PathLike,
    prompts: Sequence[str],
    continuations: Sequence[str],
    batch_size: int,
    device: str = "cpu",
    progress: OnDone | None = None,
    precision: str = "fp32",
    too_long: str = "error",
) -> pd.DataFrame:
    """Negative log-likelihood of each text under a causal LM, for the perplexities in use (see ``tables.summarise``).

    Prompt and continuation are tokenised as one string, behind the special tokens that texts of the model start with
    (see ``special_tokens``). The tokens that all texts of a prompt begin with are read once. Columns, in the order of
    the texts:

    - ``nll_text`` (float64, nats, sum) and ``tokens_text`` (int32): all tokens of the text; where no special token
      precedes it, all but the first, which nothing predicts;
    - ``nll_continuation`` and ``tokens_continuation``: those of them that belong to the continuation, given all that
      precedes. A token belongs to it if its last character does, so that a token across the boundary is part of the
      continuation.

    ``tokens_*`` count the predicted tokens; where that is 0 (one-token text, empty continuation) the NLL is 0 and the
    text has no perplexity. Texts longer than the model can read are an ``error``, or their end is ``cut``, or, with
    ``drop``, they have no perplexity. Raises ``UserError`` if the directory is not a whole causal LM with a fast
    tokenizer, if texts are too long, or if an NLL is not finite.
    """
    from transformers import AutoModelForCausalLM

    model, tokenizer = load_model(AutoModelForCausalLM, model_dir, device, precision)
    if not tokenizer.is_fast:
        raise UserError(f"{model_dir}: its tokenizer gives no character offsets; save a fast one (tokenizer.json)")
    special = of_model(model, tokenizer)
    note(special.describe(tokenizer))
    texts = [prompt + continuation for prompt, continuation in zip(prompts, continuations, strict=True)]
    encoded, offsets = encode_with_offsets(tokenizer, texts, special.start)
    # Only ends are used: ByteLevel's trim_offsets moves the start of " film" past its space, never the end.
    belongs = [
        np.array([end > len(prompt) for _, end in spans[special.context - len(special.start) :]], dtype=bool)
        for prompt, spans in zip(prompts, offsets, strict=True)
    ]
    limit = context_length(model, tokenizer)
    for index in _too_long(encoded, texts, limit, model_dir, too_long):
        encoded[index] = encoded[index][:limit] if too_long == "cut" else []
        belongs[index] = belongs[index][: max(0, len(encoded[index]) - special.context)]

    predictable = [index for index, ids in enumerate(encoded) if len(ids) > special.context]
    starts = _shared_starts(encoded, prompts, predictable) if _can_go_on(model) else {0: [predictable]}
    nll = np.zeros((len(texts), 2))
    done = len(texts) - len(predictable)
    for batch, losses in token_losses(model, encoded, starts, AdaptiveBatches(batch_size)):
        for index, whole in zip(batch, losses, strict=True):
            loss = whole[special.context - 1 :]
            nll[index] = loss[belongs[index]].sum(), loss.sum()
            if not math.isfinite(nll[index, 1]):
                raise UserError(
                    f"{model_dir}: the NLL of {show_text(index, texts[index])} is not finite; {_remedy(model)}"
                )
        done += len(batch)
        if progress:
            progress(done)
    return pd.DataFrame(
        {
            "nll_continuation": nll[:, 0],
            "tokens_continuation": np.array([b.sum() for b in belongs], dtype=np.int32),
            "nll_text": nll[:, 1],
            "tokens_text": np.array([len(b) for b in belongs], dtype=np.int32),
        }
    )


def score_distinct(
    row_ids: Sequence[int], samples: Sequence[int], continuations: Sequence[str], n: Sequence[int]
) -> pd.DataFrame:
    """distinct-n of each prompt over its samples, as in DExperts (Liu et al. 2021, ``evaluate_generations.py``).

    Unique n-grams (within one continuation, pooled over the prompt's samples) divided by the number of words. Words are
    what lies between single spaces, as there: a continuation that starts with a space starts with an empty word.
    Where all continuations of a prompt are empty there is no word, and the value is null (DExperts would count each as
    one empty word).

    Takes the texts of one point. Columns, sorted by row: ``row`` int64, ``texts`` int32 (number of samples), and
    nullable float64 ``distinct_<n>``.
    """
    frame = pd.DataFrame({"row": row_ids, "sample": samples, "text": continuations})
    if frame.duplicated(["row", "sample"]).any():
        raise ValueError("a (row, sample) occurs twice: score one point at a time")
    rows: list[dict[str, Any]] = []
    for row, group in frame.groupby("row", sort=True):
        words = [text.split(" ") for text in group["text"]]
        total = sum(map(len, words)) if group["text"].any() else 0
        values = {
            f"distinct_{size}": len({"_".join(w[i : i + size]) for w in words for i in range(len(w) - size + 1)})
            / total
            if total
            else None
            for size in n
        }
        rows.append({"row": row, "texts": len(group), **values})
    types = {"row": "int64", "texts": "int32"} | {f"distinct_{size}": "Float64" for size in n}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def write_scores(scores: pd.DataFrame, path: PathLike) -> None:
    """Write the scores of one line and one scorer as Parquet, atomically.

    Columns: ``point`` (id, stored as a dictionary), ``row`` int64, ``sample`` int32 (absent where a row is a prompt,
    as for distinct-n), then the values. Raises ``ValueError`` if a key occurs twice or a value is NaN or infinite (a
    text without a score is null).
    """
    keys = [key for key in ("point", "row", "sample") if key in scores]
    if scores.duplicated(keys).any():
        raise ValueError(f"{path}: a {tuple(keys)} occurs twice")
    arrays = {"point": pa.array(scores["point"].astype(str).tolist(), pa.string()).dictionary_encode()}
    types = {"row": pa.int64(), "sample": pa.int32()}
    for column in [*keys[1:], *(str(name) for name in scores if name not in keys)]:
        # from_pandas=False keeps NaN apart from null: what has no score must have been made null on purpose.
        array = pa.array(scores[column].array, type=types.get(column), from_pandas=False)
        if pa.types.is_floating(array.type) and not pc.all(pc.is_finite(array), min_count=0).as_py():
            raise ValueError(f"{path}: column {column} has a value that is not finite")
        arrays[column] = array
    write_parquet(pa.table(arrays), path, compression="zstd")


def read_scores(path: PathLike) -> pd.DataFrame:
    """The scores that ``write_scores`` wrote; ``point`` is categorical, nullable values are pandas ``Float``."""
    nullable = {pa.float32(): pd.Float32Dtype(), pa.float64(): pd.Float64Dtype()}
    return read_parquet(path).to_pandas(types_mapper=nullable.get)


class ScoreFiles:
    """The files ``scores/<prompts>/<line>/<scorer>.parquet`` of a study, read when asked for.

    ``spaces`` names the space of each sweep that owns a line (see ``points.assign_lines``), since the same point in
    weights and in logits is two different things.
    """

    def __init__(self, paths: Iterable[PathLike], spaces: Mapping[str, str]) -> None:
        self._files: dict[tuple[str, str, str], list[tuple[Path, frozenset[str]]]] = {}
        for path in map(Path, paths):
            points = read_parquet(path, ["point"])["point"].unique().to_pylist()
            key = (spaces[line_owner(path.parent.name)], path.parts[-3], path.stem)
            self._files.setdefault(key, []).append((path, frozenset(points)))

    def __call__(self, sweep: Sweep, prompts: str, scorer: str) -> pd.DataFrame:
        """Score rows of the lines that hold points of ``sweep``. Raises ``UserError`` if a point has no score."""
        wanted = {entry.point.id for entry in sweep.points}
        files = self._files.get((sweep.space, prompts, scorer), [])
        missing = sorted(wanted.difference(*(points for _, points in files)))
        if missing:
            raise UserError(f"sweep {sweep.name}, prompts {prompts}: no {scorer} score for point {missing[0]}")
        return pd.concat([read_scores(path) for path, points in files if points & wanted], ignore_index=True)


def _too_long(
    encoded: Sequence[Sequence[int]], texts: Sequence[str], limit: int | None, model_dir: PathLike, choice: str
) -> list[int]:
    """Indices of the texts of more than ``limit`` tokens. Raises ``UserError``, about all, if ``choice`` is error."""
    over = [] if limit is None else [index for index, tokens in enumerate(encoded) if len(tokens) > limit]
    if over:
        longest = max(over, key=lambda index: len(encoded[index]))
        found = (
            f"{model_dir}: {len(over)} of {len(texts)} texts have more than the {limit} tokens that the model reads, "
            f"the longest {len(encoded[longest])}, {show_text(longest, texts[longest])}"
        )
        if choice == "error":
            raise UserError(
                f"{found}; shorten the prompts, generate fewer tokens, or set too_long: cut or drop at the scorer"
            )
        announce(f"{found}: {'cut' if choice == 'cut' else 'without a score'}")
    return over


def _remedy(model: Any) -> str:
    """What to do about numbers that are not finite."""
    import torch

    return "choose bf16 or fp32, whose range is larger" if model.dtype == torch.float16 else "check the model"


def show_text(index: int, text: str) -> str:
    return f"text {index} ({text[:60]!r}{'...' if len(text) > 60 else ''})"


def token_losses(
    model: Any,
    encoded: Sequence[Sequence[int]],
    starts: Mapping[int, Sequence[Sequence[int]]],
    batches: AdaptiveBatches,
) -> Iterator[tuple[Sequence[int], list[np.ndarray]]]:
    """Yield texts (indices) and, for each, the NLL of its tokens but the first under a causal LM: float64, nats.

    ``starts`` holds groups of texts. Under n > 0 the texts of a group begin with the same n + 1 tokens, of which the
    first n are read once for all of them, and have at least n + 2; under 0 texts are read whole. The last token of a
    text predicts nothing and is not read.
    """
    for shared, groups in starts.items():
        for some, (first, cache) in batches.over(groups, partial(_read_starts, model, encoded, shared)):
            place = {index: row for row, group in enumerate(some) for index in group}
            read = partial(_read_rest, model, encoded, shared, cache, place)
            for batch, rest in batches.over(longest_first(encoded, place), read):
                losses = [
                    np.concatenate([first[place[index]], behind[: len(encoded[index]) - 1 - shared]])
                    for index, behind in zip(batch, rest, strict=True)
                ]
                yield batch, losses


def _read_starts(
    model: Any, encoded: Sequence[Sequence[int]], shared: int, groups: Sequence[Sequence[int]]
) -> tuple[np.ndarray, Any]:
    """Losses (groups, shared) of what the texts of each group share, and the cache behind these tokens."""
    if not shared:
        return np.empty((len(groups), 0)), None
    return _read(model, [encoded[group[0]][: shared + 1] for group in groups], None, keep=True)


def _read_rest(
    model: Any,
    encoded: Sequence[Sequence[int]],
    shared: int,
    cache: Any,
    place: Mapping[int, int],
    batch: Sequence[int],
) -> np.ndarray:
    """Losses (texts, longest - 1 - shared) of the other tokens; ``place`` is the row of each text in ``cache``."""
    import torch

    if shared:
        # Reading appends to the cache, which other batches start from as well.
        cache = copy.deepcopy(cache)
        cache.batch_select_indices(torch.tensor([place[index] for index in batch], device=model.device))
    return _read(model, [encoded[index][shared:] for index in batch], cache, keep=False)[0]


def _read(model: Any, sequences: Sequence[Sequence[int]], cache: Any, keep: bool) -> tuple[np.ndarray, Any]:
    """NLL (n, longest - 1) of all tokens but the first, after what ``cache`` holds; with ``keep`` the new cache.

    Values behind the end of a sequence mean nothing.
    """
    import torch

    from lm_interpolation.models.logits import token_nll

    ids, mask = pad_right(sequences, 0, model.device)
    before = cache.get_seq_length() if cache is not None else 0
    mask = torch.nn.functional.pad(mask[:, 1:], (before, 0), value=1)
    losses, cache = token_nll(model, ids[:, :-1], mask, ids[:, 1:], cache, keep)
    return losses.double().cpu().numpy(), cache


def _can_go_on(model: Any) -> bool:
    """Whether the model can read on from a cache of attention, several tokens at once: recurrent ones cannot."""
    return not model._is_stateful and takes_cache(model)


def _shared_starts(
    encoded: Sequence[Sequence[int]], prompts: Sequence[str], indices: Iterable[int]
) -> dict[int, list[list[int]]]:
    """The groups of ``token_losses`` that texts of one prompt make, as they begin with the same tokens."""
    by_prompt: dict[str, list[int]] = {}
    for index in indices:
        by_prompt.setdefault(prompts[index], []).append(index)
    starts: dict[int, list[list[int]]] = {}
    alone: list[int] = []
    for group in by_prompt.values():
        texts = [list(encoded[index]) for index in group]
        # What the first and the last in alphabetical order begin with, all between them do.
        pairs = zip(min(texts), max(texts), strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        shared = min(common - 1, min(map(len, texts)) - 2)
        if len(group) > 1 and shared > 0:
            starts.setdefault(shared, []).append(group)
        else:
            alone += group
    return {**starts, 0: [alone]} if alone else starts
