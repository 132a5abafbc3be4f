"""The text beside each table: what a row is, what the columns mean, and what this study did."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_interpolation.pages.captions import describe_size
from lm_interpolation.pages.markdown import bullets, section

if TYPE_CHECKING:
    import pandas as pd

ROWS = {
    "sweep": "One statistic of one scorer at one point, over the texts that continue one set of prompts.",
    "loss": "Mean loss (NLL) of held-out text at one point, per text or per token.",
    "next_token": "Probability of one word or token right after the prompt at one point.",
    "linearity": "The model at one point against its first-order expansion around the origin (Eq. 5).",
    "linearity_summary": "One quantity: how well its first-order expansion holds over the plane.",
    "norms": "Size of the difference of two models in one tensor.",
    "cost": "One measurement of loading models and generating texts, alone in a fresh process.",
    "precision": "One comparison of the lower precision with fp32 at one point.",
    "texts": "First continuations of one prompt at one coordinate, sweep beside sweep.",
    "barrier": "Height of a curve above the straight line from coordinate 0 to 1, at one coordinate or at its largest.",
    "search": "One trial: a training with one combination of settings.",
}
"""Kind of table to what a row of it is."""

_COLUMNS = {
    "sweep": "name of the sweep",
    "prompts": "set of prompts",
    "point": "the point: models with their coefficients",
    "scorer": "name of the scorer",
    "statistic": (
        "score: weighted sum of class probabilities; p_…: mean probability of a class; perplexity of continuation or "
        "text: mean over texts, or corpus = exp(total NLL / tokens); distinct_n: share of distinct n-grams of a "
        "prompt's samples"
    ),
    "estimate": "the value",
    "low": "lower end of the 95 % interval; empty where there is none",
    "high": "upper end of that interval",
    "n_prompts": "prompts that count",
    "n_texts": "texts that count",
    "n_excluded": "texts without a score: no token, no predicted token or no word",
    "class": "class of the texts; empty for all",
    "n_tokens": "predicted tokens",
    "row": "number of the prompt in its source, from 0",
    "coordinate": "coordinate of the point",
    "prompt": "beginning of the text",
}
_COLUMNS_OF = {
    "loss": {"statistic": "nll_text: nats per text; nll_token: nats per token"},
    "next_token": {
        "kind": "word (chosen in the study) or token (of the vocabulary, among those that move most)",
        "group": "group of the word; of a token whether it rises or falls",
        "text": "the word or token",
        "tokens": "number of tokens of it",
        "pieces": "their names in the vocabulary, joined by |",
        "probability": "probability of the whole word, the product over its tokens",
        "first_token_probability": "probability of its first token",
    },
    "linearity": {
        "quantity": "logits of the next token, or margin between the two groups of sentiment words",
        "value": "f at the point (margin)",
        "prediction": "its first-order expansion T (margin)",
        "change": "norm of f − f(θ⁰)",
        "error": "norm of f − T",
        "relative_error": "error / change",
    },
    "linearity_summary": {
        "quantity": "logits of the next token, or margin between the two groups of sentiment words",
        "c1": "slope C₁ in the first coordinate; of logits root mean square",
        "c2": "slope C₂ in the second coordinate; of logits root mean square",
        "r2": "variance of f that the expansion explains, over all points",
        "r2_unit": "the same over points with both coordinates in [−1, 1]",
        "tolerance": "relative error up to which a point counts as linear",
        "share_within": "share of the points within the tolerance",
        "reach": "half the side of the largest square around the origin that is within the tolerance throughout",
    },
    "norms": {
        "pair": "label of the difference",
        "model": "model",
        "reference": "model that it is compared with",
        "tensor": "name of the tensor",
        "kind": "embedding, attention, mlp, norm, head or other",
        "layer": "number of the block; empty outside blocks",
        "elements": "number n of elements",
        "norm": "Euclidean (Frobenius) norm of the difference",
        "scaled_norm": "norm / √n, the root mean square",
    },
    "cost": {
        "space": "weights: one merged model; logits: all models side by side",
        "repeat": "number of the repetition",
        "texts": "generated texts",
        "tokens": "generated tokens",
        "load_seconds": "seconds to load the models",
        "seconds": "seconds to generate",
        "seconds_per_1000_tokens": "the same per 1000 tokens",
        "peak_memory_mb": "largest memory of the process, on a GPU of the GPU (MiB)",
    },
    "precision": {
        "stage": "what runs in the lower precision: generation, or a scorer",
        "precision": "the lower precision",
        "statistic": "what is compared",
        "n_texts": "texts that have a score in both",
        "fp32": "value in fp32",
        "value": "value in the lower precision",
        "difference": "value − fp32; of perplexities relative",
        "mean_absolute": "mean absolute difference text by text; of perplexities nats per token",
        "max_absolute": "largest such difference",
        "equal_texts": "share of texts that are equal in both",
    },
    "barrier": {
        "prompts": "set of prompts; empty for a loss",
        "quantity": "perplexity (log of the corpus perplexity of texts) or loss (on held-out text)",
        "row": "excess (height at a coordinate) or barrier (the largest)",
        "estimate": "height, nats per token",
    },
    "search": {
        "search": "name of the search",
        "learning_rate": "learning rate",
        "batch_size": "sequences per step",
        "steps": "steps of training",
        "dev_loss": "loss on dev, nats per token; empty where the trial diverged",
        "dev_perplexity": "its exponential",
        "chosen": "true for the lowest",
        "configured": "true for what the study's model was trained with",
    },
}


def describe_columns(kind: str, columns: Sequence[str], coordinates: Sequence[str]) -> dict[str, str]:
    """Meaning by column of a table of this ``kind``; in a table of texts, columns are also called after sweeps."""
    meanings = dict.fromkeys(coordinates, "coordinate of the point") | _COLUMNS | _COLUMNS_OF.get(kind, {})
    if kind == "texts":
        meanings = dict.fromkeys(columns, "first continuation at the sweep's point") | meanings
    return {column: meanings[column] for column in columns}


def write_up_table(
    table: str,
    kind: str,
    facts: Sequence[str],
    judges: Sequence[str],
    figures: Sequence[str],
    coordinates: Sequence[str],
    frame: "pd.DataFrame",
    found: Sequence[str],
) -> str:
    """The text, in Markdown. ``frame`` is the table, ``figures`` are those that show it.

    What was ``found`` (see ``findings.findings``) comes first, as sentences without markup.

    ``judges`` says how good each classifier behind the table is (see ``judges.judge_lines``).
    """
    lines = [f"# {table}", *section("Finding.", found), "", f"**A row.** {ROWS[kind]}", "", "**Here.**", ""]
    lines += bullets([*facts, *([f"shown in {', '.join(figures)}"] if figures else [])])
    lines += section("Judges.", judges)
    lines += ["", f"**Size.** {len(frame)} rows{describe_size(frame)}", "", "**Columns.**", ""]
    lines += [
        f"- `{column}`: {what}" for column, what in describe_columns(kind, list(frame.columns), coordinates).items()
    ]
    return "\n".join(lines) + "\n"
