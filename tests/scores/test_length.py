"""The scorer length, against counts by hand."""

from lm_interpolation.scores.length import score_length
from lm_interpolation.study.kinds.scorers.length import Length


def test_words_are_what_white_space_separates() -> None:
    counts = score_length([" a fine film", "", " ", "one", " two\n words\t\tnow  "])
    assert list(counts) == ["words"] and counts["words"].tolist() == [3, 0, 0, 1, 3]
    assert score_length([]).empty


def test_an_empty_continuation_counts() -> None:
    length = Length(kind="length")
    (statistic,) = length.statistics()
    assert statistic.settings() == {"name": "words", "columns": {"words": 1}, "least": 0}
    assert (length.settings(), length.judge(), length.colour()) == ({}, None, None)
