"""Training sequence classifiers, and measuring them on held-out text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    Trainer,
    set_seed,
)

from lm_interpolation.jobs.batches import AdaptiveBatches, pad_right
from lm_interpolation.jobs.runtime import UserError, announce, note
from lm_interpolation.models.class_probabilities import class_probabilities, encode_for_classifier
from lm_interpolation.models.special_tokens import describe_for_classifier
from lm_interpolation.models.starts import check_context, load_tokenizer, new_model
from lm_interpolation.models.trainer import processes_of, run_trainer
from lm_interpolation.models.training_data import Labelled
from lm_interpolation.models.training_outputs import finish
from lm_interpolation.models.training_state import Reporter


def train_classifier(
    name: str,
    splits: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    output: Path,
    loss_curve: Path,
    metrics: Path,
    scratch: Path,
    settings: Mapping[str, Any],
    device: str = "cpu",
    start: Path | None = None,
    architecture: Mapping[str, Any] | None = None,
    tokenizer: Path | None = None,
    like: Path | None = None,
    micro_batch: int | None = None,
) -> None:
    """Train a sequence classifier and report its accuracy on held-out text.

    ``splits`` maps ``train``, ``dev`` and ``test`` to (texts, class names); the classes are those of ``train``, in
    alphabetical order. Texts longer than ``settings["block_length"]`` tokens are cut, and their number is reported.
    Other arguments and outputs as in ``train_language_model``, but in one process; ``metrics`` holds accuracy, the
    share of the most frequent class, recall per class, and the expected calibration error, on dev and test, all as
    ``classifier.score_classifier`` reads these texts: padded on the right, in fp32.
    """
    if processes_of(settings) != 1:
        raise UserError(f"models.{name}.training.processes: a classifier trains in one process; remove the key")
    encoder = load_tokenizer(start, like, tokenizer)
    classes = sorted(set(splits["train"][1]))
    labels = {"num_labels": len(classes), "id2label": dict(enumerate(classes))}
    labels["label2id"] = {label: index for index, label in enumerate(classes)}
    set_seed(settings["seed"])
    if start is not None:
        model = AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32, **labels)
    elif like is not None:
        config = AutoConfig.from_pretrained(like, **labels)
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    else:
        model = new_model(name, AutoModelForSequenceClassification, architecture or {}, encoder, **labels)
    if encoder.pad_token_id is None:
        raise UserError(f"models.{name}: its tokenizer has no padding token; name a pad_token in tokenizer_config.json")
    model.config.pad_token_id = encoder.pad_token_id
    note(describe_for_classifier(encoder))
    limit = settings["block_length"]
    check_context(name, model, encoder, limit)
    data = {}
    for split, (texts, names) in splits.items():
        ids = encode_for_classifier(encoder, texts, limit)
        cut = sum(len(whole) > limit for whole in encode_for_classifier(encoder, texts))
        if cut:
            announce(f"[train {name}] {cut} of {len(ids)} {split} texts cut to {limit} tokens")
        data[split] = Labelled(ids, [classes.index(label) for label in names])
    reporter = Reporter(name, name, settings["steps"])

    def collator(items: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        # Never on the left, as some tokenizers would have it: scorers pad on the right, too.
        ids, mask = pad_right([item["input_ids"] for item in items], encoder.pad_token_id, "cpu")
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([item["labels"] for item in items])}

    trainer = run_trainer(
        name, model, data["train"], data["dev"], collator, scratch, settings, device, micro_batch, reporter
    )
    result: dict[str, Any] = {"parameters": model.num_parameters(), "classes": classes}
    for split in ("dev", "test"):
        result[split] = _held_out(trainer, data[split], classes)
    finish(trainer, encoder, output, loss_curve, metrics, result, scratch)


def _held_out(trainer: Trainer, data: Labelled, classes: Sequence[str]) -> dict[str, Any]:
    """What a classifier is worth on texts that it has not seen, as a scorer reads them."""
    # Without the autocast of the training.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    probabilities = np.full((len(data), len(classes)), 1 / len(classes))
    for batch, values in class_probabilities(model, data.ids, AdaptiveBatches(trainer.args.per_device_eval_batch_size)):
        probabilities[batch] = values
    truth = np.asarray(data.labels)
    guess = probabilities.argmax(axis=1)
    return {
        "texts": len(truth),
        "accuracy": float((guess == truth).mean()),
        "majority_share": float(np.bincount(truth).max() / len(truth)),
        "recall": {label: float((guess[truth == k] == k).mean()) for k, label in enumerate(classes)},
        "expected_calibration_error": expected_calibration_error(probabilities, truth),
    }


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy in ``bins`` equal intervals of confidence, weighted by number of texts.

    ``probabilities`` (n, classes) and ``truth`` (n,) class indices; the confidence is the largest probability of a
    text (Guo et al. 2017, arXiv 1706.04599, Eq. 5).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))
