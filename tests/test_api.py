"""What ``from lm_interpolation import ...`` offers: merges and texts of the workflow, from folders and from the hub."""

import filecmp
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lm_interpolation
from lm_interpolation import Point, Sweep, UserError, merge, method, perplexity, steer
from lm_interpolation.points import merging
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.texts.ensembles import generate_ensemble
from lm_interpolation.texts.generation import Sampling, generate
from lm_interpolation.texts.layer_texts import generate_in_layers
from tests import built_study, hub_cache

ROOT = Path(__file__).parents[1]
HALF = {"positive": 0.5, "negative": 0.5}
LINE = Sweep.of({"negative": 1}, {"alpha": {"positive": 1, "negative": -1}}, {"alpha": [0, 0.5, 2]})
PROMPTS = ["the film was", "as everybody"]
HEAVY = ("numpy", "pandas", "torch", "transformers", "snakemake", "yaml", "pyarrow", "pydantic")


@pytest.fixture
def models(built: Path) -> dict[str, str]:
    return {name: str(built / "results" / "own" / "models" / name) for name in ("base", "positive", "negative")}


def test_importing_the_package_is_light() -> None:
    code = f"""
import sys, lm_interpolation
print([name for name in {HEAVY} if name in sys.modules], "lm_interpolation.api" in sys.modules)
from lm_interpolation import Point, Sweep, UserError, merge, steer
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n[]\n"


def test_all_public_names_are_there_and_described() -> None:
    for name in lm_interpolation.__all__:
        assert inspect.getdoc(getattr(lm_interpolation, name)), name
        assert name in dir(lm_interpolation)
    for function in (merge, method, steer, perplexity):
        assert "Raises ``UserError``" in (inspect.getdoc(function) or "")
    with pytest.raises(AttributeError, match="no attribute 'steel'"):
        _ = lm_interpolation.steel


def test_a_merge_has_the_bytes_of_the_workflow(models: dict[str, str], tmp_path: Path) -> None:
    merging.merge(Point.of(HALF), models, tmp_path / "workflow")
    for number, point in enumerate((HALF, Point.of(HALF), LINE.points[1].point)):
        folder = merge(point, models, tmp_path / str(number))
        names = sorted(path.name for path in (tmp_path / "workflow").iterdir())
        assert sorted(path.name for path in folder.iterdir()) == names
        assert filecmp.cmpfiles(folder, tmp_path / "workflow", names, shallow=False)[0] == names
    with pytest.raises(UserError, match=r"0: is there already"):
        merge(HALF, models, tmp_path / "0")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_texts_are_those_of_the_merged_model(precision: str, models: dict[str, str], tmp_path: Path) -> None:
    sampling = Sampling(top_p=0.9, max_new_tokens=6, samples=3, seed=4)
    rows = pd.DataFrame({"row": range(2), "text": PROMPTS})
    options = {"samples": 3, "max_new_tokens": 6, "seed": 4, "precision": precision}
    swept = steer(LINE, models, PROMPTS, **options)
    assert list(swept) == ["alpha", "point", "prompt", "row", "sample", "continuation", "tokens", "stop"]
    for entry in LINE.points:
        folder = merge(entry.point, models, tmp_path / entry.point.id)
        expected = generate(folder, rows, sampling, 7, precision=precision)
        here = swept[swept["point"] == entry.point.id].reset_index(drop=True)
        assert set(here["alpha"]) == {float(entry.coordinates[0][1])}
        pd.testing.assert_frame_equal(here[list(expected)], expected)
        assert here["prompt"].tolist() == [PROMPTS[row] for row in expected["row"]]
    alone = steer(HALF, models, PROMPTS[0], **options)
    assert (
        alone["continuation"].tolist() == swept[(swept["alpha"] == 0.5) & (swept["row"] == 0)]["continuation"].tolist()
    )


def test_ensembles_are_those_of_the_workflow(models: dict[str, str]) -> None:
    point = {"base": 1, "positive": 0.5, "negative": -0.5}
    rows = pd.DataFrame({"row": range(2), "text": PROMPTS})
    for nucleus in (None, "base"):
        texts = steer(point, models, PROMPTS, samples=2, max_new_tokens=5, space="logits", nucleus=nucleus)
        expected = generate_ensemble(Point.of(point), models, rows, Sampling(0.9, 5, 2, 0), nucleus, 4)
        pd.testing.assert_frame_equal(texts[list(expected)], expected)


def test_points_in_layer_space_are_those_of_the_workflow(models: dict[str, str]) -> None:
    rows = pd.DataFrame({"row": range(2), "text": PROMPTS})
    sampling = Sampling(0.9, 5, 2, 0)
    line = Sweep.of({"base": 1}, {"alpha": {"positive": 1, "base": -1}}, {"alpha": [1, 1.5]}, space="layers")
    swept = steer(line, models, PROMPTS, samples=2, max_new_tokens=5)
    assert swept.groupby("point").size().to_dict() == {"positive=1": 4, "base=-0.5+positive=1.5": 4}
    for point, texts in swept.groupby("point"):
        expected = generate_in_layers(Point.parse(str(point)), models, rows, sampling, 4)
        pd.testing.assert_frame_equal(texts[list(expected)].reset_index(drop=True), expected)
        alone = steer(Point.parse(str(point)), models, PROMPTS, samples=2, max_new_tokens=5, space="layers")
        pd.testing.assert_frame_equal(alone[list(expected)], expected)


def test_perplexity_is_that_of_the_scorer(models: dict[str, str]) -> None:
    texts = [" good and", "", " bad"]
    prompts = ["the film was", "the plot was", "the end"]
    scores = score_perplexity(models["base"], prompts, texts, 2)
    found = perplexity(models["base"], texts, prompts)
    expected = np.exp(scores["nll_continuation"] / scores["tokens_continuation"].replace(0, np.nan))
    np.testing.assert_array_equal(found, expected.to_numpy())
    assert found.dtype == np.float64 and np.isnan(found).tolist() == [False, True, False]
    whole = score_perplexity(models["base"], [""] * 2, prompts[:2], 2)
    np.testing.assert_array_equal(
        perplexity(models["base"], prompts[:2]), np.exp(whole["nll_text"] / whole["tokens_text"]).to_numpy()
    )


def test_mistakes_are_one_line(models: dict[str, str], tmp_path: Path) -> None:
    for call, words in (
        (lambda: steer({"positive": 2}, models, "a"), "sum to 2, not to 1"),
        (lambda: steer({"other": 1}, models, "a"), "models: no other; there are base, positive, negative"),
        (lambda: steer({"base": 1}, {"base": str(tmp_path / "x")}, "a"), "no such folder; give the folder of a model"),
        (lambda: steer({"base": 1}, {"base": "./x"}, "a"), "no such folder"),
        (lambda: steer({"base": 1}, models, []), "prompts: there are none"),
        (lambda: steer({"base": 1}, models, "a", space="weight"), "choose one of weights, layers, logits"),
        (lambda: steer({"base": 1}, models, "a", precision="fp8"), "choose one of fp32, bf16, fp16"),
        (lambda: steer({"base": 1}, models, "a", nucleus="base"), "only an ensemble has one"),
        (lambda: perplexity(models["base"], ["a", "b"], ["c"]), "prompts: 1 for 2 texts"),
        (lambda: Sweep.of({"base": 1}, {"t": {"base": 1}}, {"t": [0]}), "not to 0"),
        (lambda: Sweep.of({"base": 1}, {}, {}, space="logit"), "give weights, layers or logits"),
    ):
        with pytest.raises(UserError, match=re.escape(words)) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_models_of_the_hub_need_no_network_once_they_are_cached(tmp_path: Path) -> None:
    hub_cache.make_cache(tmp_path / "hf")
    name = next(iter(hub_cache.LANGUAGE_MODELS))
    commit = hub_cache.commit_of("model", name)
    code = f"""
from lm_interpolation import UserError, merge, steer
one, two = (steer({{"m": 1}}, {{"m": model}}, "the film was", samples=2) for model in ("{name}", "{name}@{commit}"))
assert one.equals(two) and len(one) == 2
print(merge({{"m": 1}}, {{"m": "{name}"}}, "merged"))
try:
    steer({{"m": 1}}, {{"m": "nobody/nothing"}}, "the film was")
except UserError as error:
    print(error)
"""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    }
    environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2] == "merged" and (tmp_path / "merged" / "model.safetensors").is_file()
    assert done.stdout.splitlines()[-1].startswith("cannot find model nobody/nothing")
    (imported,) = (tmp_path / "cache" / "lm-interpolation" / lm_interpolation.__version__).iterdir()
    assert imported.name == f"{name.replace('/', '--')}@{commit}"


def test_the_example_of_the_readme_runs_from_another_folder(tmp_path: Path, tiny_gpt2: Path) -> None:
    """Beside the results of a study that is called as there."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(example.strip().splitlines()) <= 6
    built_study.build(tmp_path, tiny_gpt2)
    (tmp_path / "results" / "own").rename(tmp_path / "results" / "demo")
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "continuation" in done.stdout and "alpha" in done.stdout


# --- methods ---


def test_a_method_in_a_notebook_gives_the_same_on_disk_and_in_memory(models: dict[str, str], tmp_path: Path) -> None:
    ties = method("ties", base="base", keep={"by": "magnitude", "density": "density"}, elect="sum", combine="mean")
    point = ties.at(HALF, {"density": 0.2})
    assert point.id == "ties~density=0.2@negative=0.5+positive=0.5"
    folder = merge(point, models, tmp_path / "merged", ties)
    texts = steer(point, models, PROMPTS, samples=2, max_new_tokens=8, method=ties)
    alone = steer({"m": 1}, {"m": folder}, PROMPTS, samples=2, max_new_tokens=8)
    assert texts["continuation"].tolist() == alone["continuation"].tolist()
    directions = {"gamma": {"positive": 1, "negative": 1, "base": -2}}
    sweep = Sweep.of({"base": 1}, directions, {"gamma": [0, 0.5], "density": [0.2, 1]}, method=ties)
    swept = steer(sweep, models, PROMPTS, samples=2, max_new_tokens=8)
    here = swept[(swept["gamma"] == 0.5) & (swept["density"] == 0.2)]
    assert here["point"].unique().tolist() == [point.id]
    assert here["continuation"].tolist() == texts["continuation"].tolist()


@pytest.mark.parametrize("name", built_study.BY_STATISTIC)
def test_a_method_by_statistics_of_a_study(models: dict[str, str], tmp_path: Path, name: str) -> None:
    built_study.take_statistics(Path(models["base"]).parents[1], tmp_path)
    how = method(name, statistics=tmp_path, **built_study.BY_STATISTIC[name])
    point = how.at({"positive": 0.75, "negative": 0.25})
    folder = merge(point, models, tmp_path / "merged", how)
    texts = steer(point, models, PROMPTS, samples=2, max_new_tokens=8, method=how)
    alone = steer({"m": 1}, {"m": folder}, PROMPTS, samples=2, max_new_tokens=8)
    assert texts["continuation"].tolist() == alone["continuation"].tolist()
    with pytest.raises(UserError, match=f"{name}: needs the statistic in.*; give statistics, the folder that holds it"):
        method(name, **built_study.BY_STATISTIC[name])


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({"base": "b", "keep": {"by": "magnitude", "density": 2}}, "keep.density is 2; give at most 1"),
        ({"keep": {"by": "chance", "density": 0.5}}, "method.base: missing"),
        ({"base": "b", "sale": []}, "unknown key 'sale'"),
    ],
)
def test_mistakes_in_a_method(stages: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        method(**stages)


def test_a_point_and_its_method_belong_together(models: dict[str, str], tmp_path: Path) -> None:
    how = method(base="base", keep={"by": "chance", "density": 0.5})
    with pytest.raises(UserError, match="is under the method method, give that one"):
        merge(how.at({"positive": 1}), models, tmp_path / "merged")
    with pytest.raises(UserError, match="is under no method"):
        merge({"positive": 1}, models, tmp_path / "merged", how)
    assert not (tmp_path / "merged").exists()
