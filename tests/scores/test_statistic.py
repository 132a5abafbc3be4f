"""Statistics as data: what settings hold, and the values at the rows of score files."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.statistic import Statistic, statistics_from
from lm_interpolation.scores.statistic_values import summands, text_values

SCORES = pd.DataFrame(
    {
        "point": "m=1",
        "row": [0, 0, 1],
        "sample": [0, 1, 0],
        "nll": pd.array([2.0, 3.0, None], "Float64"),
        "tokens": [4, 0, 2],
        "words": [3, 5, 7],
    }
)


def test_settings_hold_what_differs_from_the_defaults() -> None:
    plain = Statistic("words", {"words": 1})
    assert plain.settings() == {"name": "words", "columns": {"words": 1}}
    full = Statistic("x", {"a": 2, "b": -1}, "n", pooled=True, exponentiate=True, texts="texts", least=0, most=5)
    each = Statistic("p_*", each="p_", least=0)
    text = json.dumps([entry.settings() for entry in (plain, full, each)], allow_nan=False)
    assert statistics_from(json.loads(text)) == [plain, full, each]


def test_values_of_rows() -> None:
    def values(*arguments, **keys) -> list[float]:
        return text_values(SCORES, "mine", Statistic("x", *arguments, **keys)).tolist()

    np.testing.assert_equal(values({"nll": 1}), [2, 3, np.nan])
    np.testing.assert_equal(values({"nll": 2, "words": -1}), [1, 1, np.nan])
    # Nothing is predicted in the second text.
    np.testing.assert_equal(values({"nll": 1}, "tokens"), [0.5, np.nan, np.nan])
    np.testing.assert_equal(values({"words": 1}, "tokens"), [0.75, np.nan, 3.5])
    with pytest.raises(
        UserError, match=r"^scorers.mine: it gives no length, but nll, tokens, words; name one of these$"
    ):
        values({"length": 1})


def test_sums_of_means_and_of_pooled_quotients() -> None:
    mean, pooled = summands(
        SCORES,
        "mine",
        [
            Statistic("mean", {"words": 1}, "tokens", exponentiate=True, least=1),
            Statistic("all", {"words": 1}, "tokens", pooled=True, exponentiate=True, texts="words"),
        ],
    )
    np.testing.assert_allclose(mean.numerator, [math.exp(0.75), 0, math.exp(3.5)])
    assert mean.denominator.tolist() == [1, 0, 1] and mean.texts.tolist() == [1, 1, 1]
    # The exponential of each value was taken already.
    assert not mean.exponentiate and (mean.least, mean.most) == (1, math.inf)
    assert pooled.numerator.tolist() == [3, 5, 7] and pooled.denominator.tolist() == [4, 0, 2]
    assert pooled.exponentiate and pooled.texts.tolist() == [3, 5, 7]
    # A row without a value does not count, in either sum.
    (nll,) = summands(SCORES, "mine", [Statistic("nll", {"nll": 1}, "tokens", pooled=True)])
    assert nll.numerator.tolist() == [2, 3, 0] and nll.denominator.tolist() == [4, 0, 0]


def test_each_column_of_a_family() -> None:
    found = summands(
        SCORES.rename(columns={"nll": "q_a", "words": "q_b"}), "mine", [Statistic("q_*", each="q_", most=9)]
    )
    assert [entry.name for entry in found] == ["q_a", "q_b"] and {entry.most for entry in found} == {9}
    assert found[0].numerator.tolist() == [2, 3, 0] and found[1].numerator.tolist() == [3, 5, 7]


def test_planning_reads_no_heavy_package_with_it() -> None:
    code = "import sys, lm_interpolation.scores.statistic; print({'numpy', 'pandas', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
