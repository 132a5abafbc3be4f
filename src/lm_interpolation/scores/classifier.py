"""Scores of the kind ``classifier``: class probabilities of each text under a sequence classifier.

They depend on the batch size only by rounding: texts are padded on the right and masked.
"""

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError, note
from lm_interpolation.models.class_probabilities import class_probabilities, encode_for_classifier
from lm_interpolation.models.loading import context_length, load_model
from lm_interpolation.models.special_tokens import describe_for_classifier
from lm_interpolation.scores.readable import find_too_long, remedy, show_text
from lm_interpolation.scores.shared_prompts import probabilities_after_prompts

PathLike = str | os.PathLike[str]
OnDone = Callable[[int], object]
"""Called with the number of texts done so far, e.g. ``Progress(...).update``."""


def score_classifier(
    model_dir: PathLike,
    texts: Sequence[str],
    batch_size: int,
    device: str = "cpu",
    labels: Mapping[str, str] | None = None,
    progress: OnDone | None = None,
    precision: str = "fp32",
    too_long: str = "error",
    prompts: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Class probabilities of each text under a sequence classifier, in the order of ``texts``.

    ``model_dir`` is a Hugging Face directory (safetensors, or a pickle read with weights_only). ``labels`` renames
    classes of the model's ``id2label``. Returns one nullable float32 column ``p_<class>`` per class (see
    ``class_probabilities``). A text without any token has no score: its row is null. Texts longer than the model can
    read are an ``error``, are ``cut`` by the tokenizer, or have no score (``drop``). ``prompts`` are what texts begin
    with, if several begin with the same: then a causal classifier reads the tokens that they share once.

    Raises ``UserError`` if the directory is not a complete classifier with a padding token, if ``labels`` do not match
    its classes, if texts are too long, or if a logit is not finite.
    """
    from transformers import AutoModelForSequenceClassification

    model, tokenizer = load_model(AutoModelForSequenceClassification, model_dir, device, precision)
    classes = class_names(model.config.id2label, labels, model_dir)
    if model.config.pad_token_id is None:
        # GPT-2 classifies from the last token that is not padding: without the padding id it would read the padding.
        raise UserError(f"{model_dir}: config.json has no pad_token_id; set it (and train the classifier with it)")
    note(describe_for_classifier(tokenizer))
    encoded, limit = encode_for_classifier(tokenizer, texts), context_length(model, tokenizer)
    over = find_too_long(encoded, texts, limit, model_dir, too_long)
    for index, cut in zip(over, encode_for_classifier(tokenizer, [texts[index] for index in over], limit), strict=True):
        encoded[index] = cut if too_long == "cut" else []
    probabilities = np.zeros((len(texts), len(classes)), dtype=np.float32)
    done = sum(not tokens for tokens in encoded)
    batches = AdaptiveBatches(batch_size)
    if prompts is None:
        scored = class_probabilities(model, encoded, batches)
    else:
        scored = probabilities_after_prompts(model, encoded, prompts, batches)
    for batch, values in scored:
        finite = np.isfinite(values).all(axis=-1)
        if not finite.all():
            index = batch[int(np.argmin(finite))]
            raise UserError(f"{model_dir}: a logit of {show_text(index, texts[index])} is not finite; {remedy(model)}")
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
