"""The baseline of an exam: logistic regression on counts of words and pairs of words, weighted by tf-idf."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_interpolation.jobs.runtime import UserError

STRENGTHS = (0.1, 1.0, 10.0)
"""Inverse strengths of the penalty, scikit-learn's C; the accuracy on dev decides, and the smallest of equal ones."""

Labelled = tuple[Sequence[str], Sequence[str]]
"""Texts and their classes."""


def tfidf_probabilities(train: Labelled, dev: Labelled, texts: Sequence[str]) -> tuple[dict[str, np.ndarray], dict]:
    """Class probabilities of ``texts`` by a logistic regression that learns from ``train``.

    Its features are words and pairs of words that occur in two training texts or more (lower case, words of two
    characters or more), with 1 + log(count) times idf, and length 1 per text.

    Returns class to (n,) float64, and facts on the regression: ``train_texts`` (their number), ``features``, ``C``, and
    ``dev_accuracy``. Raises ``UserError`` if no word occurs in two training texts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    try:
        learnt = vectorizer.fit_transform(train[0])
    except ValueError as error:
        raise UserError(f"no TF-IDF baseline: {error}; set `baseline: none` in the exam") from None
    watched, labels = vectorizer.transform(dev[0]), np.array(dev[1], dtype=object)
    best: tuple[float, Any] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000).fit(learnt, np.array(train[1], dtype=object))
        accuracy = float((model.predict(watched) == labels).mean())
        if best is None or accuracy > best[0]:
            best = accuracy, model
    assert best is not None
    accuracy, model = best
    facts = {"train_texts": len(train[0]), "features": learnt.shape[1], "C": model.C, "dev_accuracy": accuracy}
    values = model.predict_proba(vectorizer.transform(texts))
    return dict(zip(map(str, model.classes_), values.T, strict=True)), facts
