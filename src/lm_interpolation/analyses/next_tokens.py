"""Next-token probabilities after a prompt along a line of models (Fig. 4, section 4.1 of arXiv 2211.12092).

torch is imported in the functions that run a model: figures read the tables too.
"""

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.batches import AdaptiveBatches, pad_right
from lm_interpolation.jobs.runtime import Progress, UserError, note
from lm_interpolation.models.loading import context_length
from lm_interpolation.models.special_tokens import added_tokens, encode, of_model
from lm_interpolation.points.algebra import Sweep, decimal, format_decimal
from lm_interpolation.tables.tables import write_table

if TYPE_CHECKING:
    import torch

    from lm_interpolation.points.interpolation import WeightSpace


def next_token_probabilities(
    space: "WeightSpace",
    sweep: Sweep,
    prompt: str,
    words: Mapping[str, Sequence[str]],
    top: int,
    ends: tuple[float, float],
    batch_size: int,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """What follows ``prompt`` at each point of a line: probabilities of given words and of the tokens that change most.

    Args:
        space: the models of the sweep.
        sweep: with one coordinate.
        prompt: tokenised as for generation.
        words: group -> words, without surrounding spaces.
        top: how many tokens that rise, and as many that fall, to list; 0 or more.
        ends: the two coordinates, both on the grid, between which rise and fall are measured.
        batch_size: words read at once; fewer if GPU memory does not suffice.
        progress: counts points.

    A word follows the prompt after a space. It is a prefix event: P(good) includes "goodness" and "good-looking", where
    the model continues the word. The probability of a word of several tokens is the product of the conditional
    probabilities of its tokens, each given the prompt and the tokens before it (teacher forcing).
    ``first_token_probability`` is listed separately, since other words may share the first token. Only the tokenizer's
    own spelling of the word counts: other token sequences with the same text are ignored. The softmax is taken in
    float64 over all logits of the model.

    The tokens that rise (fall) most are those whose probability right after the prompt grows (shrinks) most, as a
    difference, from ``ends[0]`` to ``ends[1]``; tokens that do not grow (shrink) at all are left out, and so are ids
    unknown to the tokenizer. Equal differences are ordered by token id.

    Returns one row per point, in the sweep's order, and word or token: words as given, then rising and falling tokens,
    those that change most first. Columns:

    - ``sweep``, the coordinate (float64), ``point`` (id);
    - ``kind``: ``word`` or ``token``; ``group``: the word's group, or ``rises`` or ``falls``;
    - ``text``: the word, or the decoded token with its leading space; characters that cannot be printed are
      escaped as in Python, so that a newline is ``\\n``;
    - ``tokens`` (int64): their number; ``pieces``: their names in the vocabulary, joined by ``|``;
    - ``probability`` and ``first_token_probability`` (float64).

    Raises ``UserError`` if the sweep has more than one coordinate, ``ends`` are not on its grid, a word is empty, has
    surrounding spaces or is listed twice, if the tokens of the prompt are not the first ones of prompt and word, if
    both are too long for the model, if a logit is not finite, or if GPU memory does not suffice for one word.
    """
    import torch

    coordinate = _line_coordinate(sweep)
    first, last = _ends(sweep, ends)
    check_words(words)
    note(of_model(space.model, space.tokenizer).describe(space.tokenizer))
    prompt_ids = encode_prompt(space.tokenizer, prompt)
    pairs = [(group, word) for group, group_words in words.items() for word in group_words]
    entries = [(group, word, encode_word(space.tokenizer, prompt, word)) for group, word in pairs]
    # The prompt alone gives the first token of every word; each longer word needs a sequence for its other tokens.
    sequences = [prompt_ids] + [prompt_ids + word_ids[:-1] for *_, word_ids in entries if len(word_ids) > 1]
    check_context(space, prompt, max(map(len, sequences)))

    def read(batch: Sequence[Sequence[int]]) -> "list[torch.Tensor]":
        """Logits after the prompt and each token of a word but its last: (tokens of the word, V) for each word."""
        with torch.no_grad():
            logits = right_padded_logits(space.model, batch)
        # Copied so that the logits of the whole batch can be freed.
        return [values[len(prompt_ids) - 1 : len(ids)].clone() for values, ids in zip(logits, batch, strict=True)]

    batches = AdaptiveBatches(batch_size)
    distributions: list[np.ndarray] = []
    probabilities: list[list[tuple[float, float]]] = []
    points = []
    for done, entry in enumerate(space.visit(sweep), start=1):
        logits = [values for _, part in batches.over(sequences, read) for values in part]
        after_prompt = _log_softmax(logits[0][0], f"point {entry.point.id}: after {prompt!r}")
        row = 0
        values = []
        for _, word, word_ids in entries:
            total = given_prompt = after_prompt[word_ids[0]]
            if len(word_ids) > 1:
                row += 1
                steps = _log_softmax(logits[row][1:], f"point {entry.point.id}: in {word!r}")
                total = given_prompt + steps[range(len(steps)), word_ids[1:]].sum()
            values.append((float(total.exp()), float(given_prompt.exp())))
        probabilities.append(values)
        distributions.append(after_prompt.exp().cpu().numpy())
        points.append(entry)
        if progress:
            progress.update(done)

    places = [dict(entry.coordinates)[coordinate] for entry in points]
    change = distributions[places.index(last)] - distributions[places.index(first)]
    known = min(len(change), len(space.tokenizer))
    rising, falling = _most_moved(change[:known], top)
    names = space.tokenizer.convert_ids_to_tokens
    rows: list[dict[str, Any]] = []
    for place, entry, values, distribution in zip(places, points, probabilities, distributions, strict=True):
        head = {"sweep": sweep.name, coordinate: float(place), "point": entry.point.id}
        for (group, word, word_ids), (total, given_prompt) in zip(entries, values, strict=True):
            text = {"kind": "word", "group": group, "text": _printable(word)}
            pieces = {"tokens": len(word_ids), "pieces": "|".join(names(word_ids))}
            rows.append(head | text | pieces | {"probability": total, "first_token_probability": given_prompt})
        for group, tokens in (("rises", rising), ("falls", falling)):
            for token in tokens:
                text = {"kind": "token", "group": group, "text": _printable(_decode(space.tokenizer, token))}
                pieces = {"tokens": 1, "pieces": names([token])[0]}
                value = float(distribution[token])
                rows.append(head | text | pieces | {"probability": value, "first_token_probability": value})
    return pd.DataFrame(rows, columns=["sweep", coordinate, *_COLUMNS])


_COLUMNS = ["point", "kind", "group", "text", "tokens", "pieces", "probability", "first_token_probability"]


def _line_coordinate(sweep: Sweep) -> str:
    """The coordinate of a line. Raises ``UserError`` if ``sweep`` is something else."""
    if len(sweep.coordinates) != 1:
        raise UserError(
            f"sweep {sweep.name}: has coordinates {list(sweep.coordinates)}; next-token probabilities are taken along "
            "a line, give a sweep with one"
        )
    return sweep.coordinates[0]


def _ends(sweep: Sweep, ends: tuple[float, float]) -> tuple[Decimal, Decimal]:
    grid = [value for entry in sweep.points for _, value in entry.coordinates]
    first, last = (decimal(end) for end in ends)
    for end in (first, last):
        if end not in grid:
            raise UserError(
                f"ends: {format_decimal(end)} is not on the grid of sweep {sweep.name}; choose two of "
                f"{', '.join(map(format_decimal, grid))}"
            )
    if first == last:
        raise UserError(
            f"ends: both are {format_decimal(first)}, so nothing rises or falls; choose two different values"
        )
    return first, last


def check_words(words: Mapping[str, Sequence[str]]) -> None:
    """Raise ``UserError`` if a word is empty, has surrounding spaces, or occurs twice, even in different groups."""
    seen: dict[str, str] = {}
    for group, group_words in words.items():
        for word in group_words:
            if not word or word != word.strip():
                raise UserError(
                    f"words: {word!r} in {group} is empty or has spaces around it; a space is put before it"
                )
            if word in seen:
                raise UserError(f"words: {word!r} is listed twice, in {seen[word]} and in {group}; remove one")
            seen[word] = group


def encode_prompt(tokenizer: Any, prompt: str) -> list[int]:
    """Token ids of ``prompt``, as for generation. Raises ``UserError`` if it has none or ends with a space."""
    start, _ = added_tokens(tokenizer)
    (ids,) = encode(tokenizer, [prompt], start)
    if prompt != prompt.rstrip() or len(ids) == len(start):
        raise UserError(
            f"prompt {prompt!r}: is empty or ends with a space; the space before a word is put there for you"
        )
    return ids


def encode_word(tokenizer: Any, prompt: str, word: str) -> list[int]:
    """Token ids of ``word`` after ``prompt`` and a space; at least one.

    Raises ``UserError`` if the word has no token, or if the tokenizer joins prompt and word so that the word does not
    continue the prompt's tokens, and whatever ``encode_prompt`` raises.
    """
    prompt_ids = encode_prompt(tokenizer, prompt)
    (both,) = encode(tokenizer, [f"{prompt} {word}"], added_tokens(tokenizer)[0])
    if both[: len(prompt_ids)] != prompt_ids:
        raise UserError(
            f"prompt {prompt!r}: its tokens are not the first ones of {f'{prompt} {word}'!r}, so that for this "
            "tokenizer the word does not follow it; choose another prompt or word"
        )
    if len(both) == len(prompt_ids):
        raise UserError(f"words: the tokenizer gives no token for {word!r}; remove it")
    return both[len(prompt_ids) :]


def right_padded_logits(model: Any, sequences: Sequence[Sequence[int]]) -> "torch.Tensor":
    """Logits (n, longest, V) of token sequences in one batch; those past the end of a sequence are meaningless.

    ``model`` is called with ``input_ids``, ``attention_mask`` and ``use_cache``, and has a ``device``.
    """
    ids, mask = pad_right(sequences, 0, model.device)
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def check_context(space: "WeightSpace", prompt: str, tokens: int) -> None:
    """Raise ``UserError`` if ``tokens``, the number of tokens read with the prompt, exceeds the model's context."""
    context = context_length(space.model, space.tokenizer)
    if context is not None and tokens > context:
        raise UserError(
            f"prompt {prompt!r}: {tokens} tokens, with a word, exceed the model's context of {context}; shorten it"
        )


def _log_softmax(logits: "torch.Tensor", where: str) -> "torch.Tensor":
    """log-softmax in float64 over the last dimension. Raises ``UserError`` with ``where`` if a logit is not finite."""
    if not logits.isfinite().all():
        raise UserError(f"{where}: a logit is not finite; leave that point out")
    return logits.double().log_softmax(dim=-1)


def _most_moved(change: np.ndarray, top: int) -> tuple[list[int], list[int]]:
    """Indices of the ``top`` largest values above 0 and the ``top`` smallest below 0, the most extreme first.

    ``change`` is (V,). Equal values are ordered by index.
    """
    rising = np.argsort(-change, kind="stable")[:top]
    falling = np.argsort(change, kind="stable")[:top]
    return [int(i) for i in rising if change[i] > 0], [int(i) for i in falling if change[i] < 0]


def _decode(tokenizer: Any, token: int) -> str:
    return tokenizer.decode([token], clean_up_tokenization_spaces=False)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def write_next_tokens(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the table of ``next_token_probabilities`` as CSV, atomically; equal results give equal bytes.

    Probabilities have six significant digits, the coordinate is exact.
    """
    write_table(table, path, values=("probability", "first_token_probability"))
