"""Losses of named models on texts of a corpus, one model in memory at a time."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from transformers import AutoModelForCausalLM

from lm_interpolation.analyses.losses import encode_texts, text_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.algebra import Point

OnDone = Callable[[int], object]


def model_losses(
    models: Mapping[str, Path],
    texts: Mapping[str, Sequence[str]],
    batch_size: int,
    device: str = "cpu",
    progress: OnDone | None = None,
) -> pd.DataFrame:
    """Losses of ``texts`` (class -> texts) under each model (name -> folder): the columns of ``LOSSES_SCHEMA``.

    One row per model and text, in these orders; ``point`` is the point of the model alone, categorical. NLL and tokens
    of a text are those of ``losses.text_losses``. Models may differ in architecture and tokenizer. ``progress`` is
    called with the number of models done. Values depend on ``batch_size`` only by rounding.

    Raises ``UserError`` naming model and text if a text is too long or has no predicted token, or if a loss is NaN or
    infinite; and if a model is damaged.
    """
    frames = []
    counts = [len(members) for members in texts.values()]
    classes = np.repeat(np.array(list(texts), dtype=object), counts)
    places = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
    for done, (name, folder) in enumerate(models.items(), start=1):
        model, tokenizer = load_model(AutoModelForCausalLM, folder, device)
        try:
            encoded = encode_texts(model, tokenizer, texts, batch_size)
            nll = text_losses(model, encoded)
        except UserError as error:
            raise UserError(f"model {name}, {error}") from None
        point = np.repeat(np.array([Point.of({name: 1}).id], dtype=object), len(nll))
        tokens = encoded.scored.astype(np.int32)
        frames.append(pd.DataFrame({"point": point, "class": classes, "text": places, "nll": nll, "tokens": tokens}))
        if progress:
            progress(done)
    table = pd.concat(frames, ignore_index=True)
    return table.assign(point=pd.Categorical(table["point"], categories=table["point"].unique()))
