"""The scripts of a study's own scorers, and the examples of docs/own-scorers.md, on a line of two points."""

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from pydantic import TypeAdapter

from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.score_files import read_scores
from lm_interpolation.study.kinds.catalog import AnyScorer
from lm_interpolation.tables.tables import summarise
from tests.by_hand import make_job
from tests.scores.own_texts import TEXTS
from workflow.scripts.scores import command, python

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "own-scorers.md").read_text(encoding="utf-8")
EXAMPLES = {
    name: spec
    for block in re.findall(r"^```yaml\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    for name, spec in yaml.safe_load(block)["scorers"].items()
    # Files that the text does not show.
    if not spec.get("files")
}


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the examples, prompts and texts, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        # A job sets them for itself.
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    Path("scorers").mkdir()
    for name, code in re.findall(r"`(scorers/[\w.]+)`:\n\n```\w+\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL):
        Path(name).write_text(code)
    prompts = TEXTS[["row", "prompt"]].drop_duplicates().rename(columns={"prompt": "text"})
    write_parquet(pa.Table.from_pandas(prompts, preserve_index=False), "prompts.parquet")
    for point, texts in TEXTS.groupby("point"):
        columns = texts[["row", "sample", "continuation"]].astype({"sample": "int32"})
        write_parquet(pa.Table.from_pandas(columns, preserve_index=False), f"{point}.parquet")


def scored(script: Any, name: str, spec: dict[str, Any], **more: Any) -> pd.DataFrame:
    """What the script makes of ``TEXTS`` as the scorer says, by way of its score file; ``more`` are its settings."""
    declared = TypeAdapter(AnyScorer).validate_python(spec)
    assert list(declared.file_problems()) == []
    inputs = {"texts": ["m=1.parquet", "n=1.parquet"], "prompts": "prompts.parquet"}
    job = make_job(inputs, [f"{name}.parquet"], scorer=name, line="line")
    execution = {"device": "cpu", "threads": 1, "gpus": 0, **declared.execution()}
    script.main(job, **execution, points=["m=1", "n=1"], **declared.settings(), **more)
    found = read_scores(f"{name}.parquet")
    table = summarise(found[found["point"] == "m=1"], name, declared.statistics(), 20, 0)
    assert list(table["statistic"]) == declared.scores
    return found


def test_the_examples_give_the_scores_that_they_say() -> None:
    politeness = scored(python, "politeness", EXAMPLES["politeness"])
    assert list(politeness) == ["point", "row", "sample", "score"] and politeness["score"].tolist() == [0] * 4
    style = scored(python, "style", EXAMPLES["style"])
    assert style["words"].tolist() == [4, 4, 2, 3] and style["exclamations"].tolist() == [0] * 4


def test_the_example_of_a_program_gives_the_scores_that_it_says() -> None:
    shouting = scored(command, "shouting", EXAMPLES["shouting"])
    assert shouting["score"].fillna(-1).tolist() == [0, 0, -1, 0]
    spec = {**EXAMPLES["shouting"], "command": ["python3", "scorers/shouting.py", "of", "no", "use"]}
    Path("scorers/shouting.py").write_text("import sys\nsys.exit(9)\n")
    with pytest.raises(UserError, match=r"^scorers.shouting: command python3 scorers/shouting.py of no use: ends"):
        scored(command, "shouting", spec)


@pytest.mark.parametrize(("script", "name"), [(python, "style"), (command, "shouting")])
def test_own_code_gets_only_the_first_samples(script: Any, name: str) -> None:
    whole = scored(script, name, EXAMPLES[name])
    first = scored(script, name, EXAMPLES[name], samples=1)
    assert first[["point", "row", "sample"]].to_numpy().tolist() == [["m=1", 3, 0], ["m=1", 8, 0], ["n=1", 3, 0]]
    pd.testing.assert_frame_equal(first, whole[whole["sample"] == 0].reset_index(drop=True))
    # More than there are: all.
    pd.testing.assert_frame_equal(scored(script, name, EXAMPLES[name], samples=5), whole)
    if script is python:
        Path("scorers/style.py").write_text("def score(texts, prompts):\n    raise ValueError(texts)\n")
        with pytest.raises(UserError, match="' was bad'") as error:
            scored(script, name, EXAMPLES[name] | {"text": "continuation"})
        with pytest.raises(UserError) as error:
            scored(script, name, EXAMPLES[name] | {"text": "continuation"}, samples=1)
        assert " was bad" not in str(error.value)


def test_an_error_names_the_scorer_and_the_file() -> None:
    Path("scorers/politeness.py").write_text("def score(texts, prompts):\n    return [1 / len(p[8:]) for p in texts]\n")
    with pytest.raises(UserError) as error:
        scored(python, "politeness", EXAMPLES["politeness"])
    assert str(error.value) == (
        "scorers.politeness: scorers/politeness.py: score(), for the text of prompt 8, sample 0 at point m=1 (''), "
        "raises ZeroDivisionError: division by zero; correct it (the log has the traceback)"
    )
    assert not Path("politeness.parquet").exists()
