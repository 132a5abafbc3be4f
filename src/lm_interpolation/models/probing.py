"""Tiny trials of all that a study does with a model, before it trains, merges and generates for hours.

These checks affect no result: ``sources.py`` leaves this module, and what only it imports, out of the digests.
"""

import contextlib
import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.jobs.batches import AdaptiveBatches, pad_right
from lm_interpolation.jobs.runtime import UserError, announce, error_prefix
from lm_interpolation.models.body_loading import BodyLoader
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.class_probabilities import encode_for_classifier
from lm_interpolation.models.loading import context_length, load_model, without_router_losses
from lm_interpolation.models.model_folders import CONTEXT, is_count
from lm_interpolation.points.writing import check_tied
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.texts.generation import Sampling, sample_texts
from lm_interpolation.texts.language_models import Mixture, language_model

TOLERANCE = 1e-3
"""Difference of logits, in standard deviations of all logits, that is more than rounding.

Measured on 50 small architectures, mixtures of experts among them, and two pretrained models: rounding stays below
2e-5, and encoders, which read later words, are above 1e-2 even with untrained weights, which hardly mix words.
"""

_SAMPLING = Sampling(top_p=0.9, max_new_tokens=3, samples=2, seed=0)


def check_saved(folder: Path, task: str, name: str, buffers: Mapping[str, torch.Tensor]) -> None:
    """Raise ``UserError`` unless the model in ``folder`` (fp32, with tokenizer) can do all that a study needs.

    ``task`` is ``language-model``, ``classifier`` or ``encoder``, errors call the model ``name``. ``buffers`` are those
    that the model had before it was saved: tensors that are not weights, which must be the same whenever it is loaded.
    """
    if task == "classifier":
        _check_scores(folder, name)
        return
    if task == "encoder":
        _check_states(folder, name)
        return
    check_tied(Checkpoint.open(folder))
    model, tokenizer = load_model(AutoModelForCausalLM, folder, "cpu")
    architecture = type(model).__name__
    for key, buffer in model.named_buffers():
        if key not in buffers or not torch.equal(buffer, buffers[key]):
            raise UserError(
                f"{name}: {architecture} cannot be merged: its buffer {key} is another one each time it is loaded; "
                "choose another architecture"
            )
    check_language_model(model, tokenizer, name)
    del model  # before it is loaded once more
    if tokenizer.is_fast:
        _check_perplexity(folder, _texts(tokenizer, name), architecture, name)
    else:
        announce(
            f"[{name}] its tokenizer gives no character offsets: no scorer of perplexity can use it, nor what is "
            "trained from it"
        )


def check_language_model(model: Any, tokenizer: Any, name: str) -> None:
    """Raise ``UserError`` unless texts can be generated from a loaded causal language model as a study does it.

    Errors call it ``name``. The model keeps its mode (training or evaluation).
    """
    training, router = model.training, getattr(model.config, "output_router_logits", None)
    model.eval()
    without_router_losses(model)
    try:
        with _must("read texts", type(model).__name__, name):
            _check_causal(model, tokenizer, name)
        with error_prefix(name):
            context_length(model, tokenizer)
        # Raises the right error itself.
        language = language_model(model, tokenizer, name)
        with _must("generate texts in batches", type(model).__name__, name):
            _check_generation(language)
    finally:
        model.train(training)
        if router is not None:
            model.config.output_router_logits = router


@contextlib.contextmanager
def _must(do: str, subject: str, name: str) -> Iterator[None]:
    """Turn any error in the block into a one-line error."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of the code of any architecture
        words = textwrap.shorten(str(error) or type(error).__name__, 200)
        raise UserError(f"{name}: {subject} cannot {do} ({words}); choose another architecture") from error


def _ordinary_tokens(model: Any, tokenizer: Any) -> torch.Tensor:
    """Ids (int64) of tokens of text. None is padding, for example, whose position some architectures do not count."""
    special = set(tokenizer.all_special_ids)
    rows = model.get_input_embeddings().weight.shape[0]
    return torch.tensor([token for token in range(min(len(tokenizer), rows)) if token not in special])


@torch.inference_mode()
def _check_causal(model: Any, tokenizer: Any, name: str) -> None:
    """Raise ``UserError`` if logits depend on later tokens, which a language model has to predict."""
    tokens, generator = _ordinary_tokens(model, tokenizer), torch.Generator().manual_seed(0)
    context: Any = getattr(model.config, CONTEXT, None)
    length = min(12, context) if is_count(context) else 12
    one, two = tokens[torch.randint(len(tokens), (2, 4, length), generator=generator)].to(model.device)
    # The same beginnings, other ends, in batches of one shape: only later tokens differ.
    two[:, : length // 2] = one[:, : length // 2]
    logits = [model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.float() for ids in (one, two)]
    if _differ(*(values[:, : length // 2] for values in logits)):
        raise UserError(
            f"{name}: {type(model).__name__} reads the words that come later: it is not a causal language model, and "
            "its perplexities would mean nothing; choose one that is, such as GPT-2"
        )


def _differ(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Whether logits (..., V), or hidden states, differ by more than rounding."""
    return bool((one - two).abs().max() > TOLERANCE * two.std())


def _check_generation(language: Any) -> None:
    """Raise ``UserError`` unless a batch gives each text the same logits as the text alone."""
    model = language.model
    prompts = pd.DataFrame({"row": [0, 1], "text": _texts(language.tokenizer, language.name)[:2]})
    reads: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def note(module: Any, arguments: Any, options: Mapping[str, Any], output: Any) -> None:
        reads.append((options["input_ids"], options["attention_mask"], output.logits[:, -1].float().clone()))

    hook = model.register_forward_hook(note, with_kwargs=True)
    try:
        # Without end tokens no text leaves the batch.
        special = dataclasses.replace(language.special, stops=frozenset())
        endless = dataclasses.replace(language, special=special)
        sample_texts(Mixture(((1.0, endless),)), prompts, _SAMPLING, AdaptiveBatches(2 * _SAMPLING.samples))
    finally:
        hook.remove()
    (ids, mask, logits), *steps = reads
    whole = [row[here.bool()].tolist() for row, here in zip(ids, mask, strict=True) for _ in range(_SAMPLING.samples)]
    seen = [[row] for row in logits.repeat_interleave(_SAMPLING.samples, 0)]
    for new, _, logits in steps:
        for place, token in enumerate(new[:, 0].tolist()):
            whole[place].append(token)
            seen[place].append(logits[place])
    for text, rows in zip(whole, seen, strict=True):
        with torch.inference_mode():
            plain = model(input_ids=torch.tensor([text], device=model.device)).logits[0, -len(rows) :].float()
        if _differ(torch.stack(rows), plain):
            raise UserError(
                f"{language.name}: {type(model).__name__} cannot generate texts in batches: beside other texts, or "
                "going on from its cache, it gives other logits than for a text alone; choose another architecture"
            )


def _check_perplexity(folder: Path, texts: tuple[str, str, str], architecture: str, name: str) -> None:
    """Raise ``UserError`` unless a text has one negative log-likelihood, however it is read."""
    prompt, one, two = texts[1], texts[0], texts[2]
    with _must("read texts", architecture, name):
        # The first two continue from a cache of their common beginning; the last is the first one, read as a whole.
        scores = score_perplexity(folder, [prompt, prompt, prompt + one], [one, two, ""], 3)
        shared, _, whole = scores["nll_text"]
        if abs(shared - whole) > TOLERANCE * (1 + abs(whole)):
            raise UserError(
                f"{name}: {architecture} gives a text another perplexity when it goes on from its cache than when it "
                "reads the text whole; choose another architecture"
            )


def _check_scores(folder: Path, name: str) -> None:
    """Raise ``UserError`` unless the classifier gives a text the same scores alone and beside a longer one."""
    texts = _texts(AutoTokenizer.from_pretrained(folder), name)[:2]
    with _must("score texts", "this classifier", name):
        together, alone = (score_classifier(folder, texts, batch_size).astype(float) for batch_size in (2, 1))
        if (together - alone).abs().to_numpy().max() > TOLERANCE:
            raise UserError(
                f"{name}: this classifier gives a text other scores beside a longer text than alone; choose another"
            )


def _check_states(folder: Path, name: str) -> None:
    """Raise ``UserError`` unless the encoder gives a text the same hidden states alone and beside a longer one."""
    model, tokenizer = load_model(BodyLoader, folder, "cpu")
    architecture = type(model).__name__
    if model.config.is_encoder_decoder:
        raise UserError(f"{name}: {architecture} has an encoder and a decoder; choose a model of one of them")
    short, long = encode_for_classifier(tokenizer, _texts(tokenizer, name)[:2])

    @torch.inference_mode()
    def states(texts: list[list[int]]) -> torch.Tensor:
        ids, mask = pad_right(texts, model.config.pad_token_id or 0, "cpu")
        return model(input_ids=ids, attention_mask=mask).last_hidden_state[0, : len(short)].float()

    with _must("read texts", architecture, name):
        together, alone = states([short, long]), states([short])
    if _differ(together, alone):
        raise UserError(
            f"{name}: {architecture} gives a text other hidden states beside a longer text than alone; choose another"
        )


def _texts(tokenizer: Any, name: str) -> tuple[str, str, str]:
    """Three texts of a few tokens of any tokenizer; the second is longer than the first.

    Raises ``UserError`` if no text of the tokenizer's own tokens gives two tokens.
    """
    special = set(tokenizer.all_special_ids)
    tokens = [token for token in range(len(tokenizer)) if token not in special]
    generator = torch.Generator().manual_seed(0)
    found: list[str] = []
    for _ in range(100):
        # Tokens need not survive a round trip: some are parts of a character, or never occur.
        chosen = torch.randint(len(tokens), (2 if len(found) != 1 else 6,), generator=generator).tolist()
        text = tokenizer.decode([tokens[place] for place in chosen], clean_up_tokenization_spaces=False)
        length = len(tokenizer(text, add_special_tokens=False)["input_ids"])
        shortest = len(tokenizer(found[0], add_special_tokens=False)["input_ids"]) + 2 if len(found) == 1 else 2
        if shortest <= length <= shortest + 6:
            found.append(text)
        if len(found) == 3:
            return found[0], found[1], found[2]
    raise UserError(f"{name}: its tokenizer gives fewer than two tokens for its own words; is it the right one?")
