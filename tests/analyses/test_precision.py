"""Inference in bf16 and fp16: models that are cast last, and the comparison with fp32."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.analyses import precision
from lm_interpolation.analyses.precision import (
    PRECISION_COLUMNS,
    check_precisions,
    compare_precisions,
    runs,
    write_precisions,
)
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.algebra import Point
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.study.captions import figure_settings
from lm_interpolation.study.config import declare
from lm_interpolation.study.study import Study
from lm_interpolation.texts.ensembles import generate_ensemble, load_ensemble
from lm_interpolation.texts.generation import Sampling, generate
from lm_interpolation.texts.language_models import load_language_model
from tests.scorers import scorer
from tests.study.test_config_readme import columns_of

ROOT = Path(__file__).parents[2]
PROMPTS = pd.DataFrame({"row": [3, 7], "text": ["the film", "the plot was"]})
SAMPLING = Sampling(top_p=0.9, max_new_tokens=5, samples=2, seed=0)
ONE, TWO = Point.of({"base": 1}), Point.of({"base": 2, "other": -1})


# --- models ---


@pytest.mark.parametrize(("name", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_models_are_cast_when_they_are_loaded(tiny_gpt2: Path, name: str, dtype: torch.dtype) -> None:
    stored = load_language_model(tiny_gpt2, "cpu").model.state_dict()
    lower, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu", name)
    ensemble = load_ensemble(ONE, {"base": tiny_gpt2}, None, "cpu", name).members[0][1].model
    for model in (load_language_model(tiny_gpt2, "cpu", precision=name).model, lower, ensemble):
        for key, tensor in model.state_dict().items():
            assert stored[key].dtype == torch.float32 and tensor.dtype == dtype
            torch.testing.assert_close(tensor, stored[key].to(dtype), rtol=0, atol=0)


def test_angles_of_positions_stay_in_fp32(tmp_path: Path, tiny_gpt2: Path) -> None:
    """In bf16 position 1000 would turn by another angle."""
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model("llama", vocab_size=300, bos_token_id=0, eos_token_id=0, **sizes)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(tmp_path)
    exact = load_language_model(tmp_path, "cpu").model
    lower, _ = load_model(AutoModelForCausalLM, tmp_path, "cpu", "bf16")
    for model in (load_language_model(tmp_path, "cpu", precision="bf16").model, lower):
        assert all(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
        torch.testing.assert_close(dict(model.named_buffers()), dict(exact.named_buffers()), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_texts_and_scores_in_lower_precision(tiny_gpt2: Path, name: str) -> None:
    texts = generate(tiny_gpt2, PROMPTS, SAMPLING, batch_size=4, precision=name)
    assert len(texts) == 4 and (texts["tokens"] <= 5).all()
    ensemble = generate_ensemble(ONE, {"base": tiny_gpt2}, PROMPTS, SAMPLING, None, batch_size=4, precision=name)
    pd.testing.assert_frame_equal(texts, ensemble)
    prompts, continuations = ["the film"] * 4, texts["continuation"].tolist()
    exact = score_perplexity(tiny_gpt2, prompts, continuations, batch_size=4)
    lower = score_perplexity(tiny_gpt2, prompts, continuations, batch_size=4, precision=name)
    assert (exact["nll_text"] != lower["nll_text"]).any()
    np.testing.assert_allclose(lower["nll_text"], exact["nll_text"], rtol=0.02)


def test_numbers_beyond_fp16(tmp_path: Path, tiny_gpt2: Path) -> None:
    shutil.copytree(tiny_gpt2, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tiny_gpt2 / "model.safetensors")
    tensors["transformer.ln_f.weight"] *= 1e6
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    generate(tmp_path, PROMPTS, SAMPLING, batch_size=4, precision="bf16")
    with pytest.raises(UserError, match=r"logits; it needs numbers beyond the range of fp16 \(choose bf16 or fp32\)"):
        generate(tmp_path, PROMPTS, SAMPLING, batch_size=4, precision="fp16")
    with pytest.raises(UserError, match="is not finite; choose bf16 or fp32, whose range is larger"):
        score_perplexity(tmp_path, ["the film"], [" was"], batch_size=4, precision="fp16")


# --- the comparison ---


def main_statistic(kind: str, **keys: Any) -> dict[str, Any]:
    return scorer(kind, **keys).main_statistic().settings()


SCORERS: dict[str, dict[str, Any]] = {
    "sentiment": {
        "kind": "classifier",
        "model": "judge",
        "weights": {"good": 1, "neutral": 0.5},
        "labels": {"LABEL_0": "good"},
        "text": "full",
        "precision": "bf16",
        "too_long": "error",
        "statistic": main_statistic("classifier", weights={"good": 1, "neutral": 0.5}),
    },
    "perplexity": {
        "kind": "perplexity",
        "model": "base",
        "precision": "fp32",
        "too_long": "error",
        "statistic": main_statistic("perplexity"),
    },
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Texts and scores that are known beforehand; returns the list of what was run."""
    log: list[tuple] = []

    def texts(directory: Path, prompts: pd.DataFrame, sampling: Sampling, *_: Any, precision: str) -> pd.DataFrame:
        log.append(("generate", directory.name, precision))
        words = {"fp32": [" a", " b", " c", " d"], "fp16": [" a", " b", " c", " long"]}[precision]
        return pd.DataFrame({"row": [3, 3, 7, 7], "sample": [0, 1, 0, 1], "continuation": words})

    def classify(
        directory: Path, full: list[str], batch_size: int, device: str, labels: dict, *, precision: str, too_long: str
    ) -> pd.DataFrame:
        log.append(("classify", directory.name, precision, batch_size, labels, tuple(full[:4])))
        assert too_long == "error"
        good = [0.9 if text.endswith("long") else 0.5 for text in full]
        if precision == "bf16":
            good = [value - 0.1 for value in good]
        # The second text of each point has no token.
        good = [None if index % 4 == 1 else value for index, value in enumerate(good)]
        other = [None if value is None else 0.2 for value in good]
        return pd.DataFrame(
            {"p_good": pd.array(good, "Float32"), "p_neutral": pd.array(other, "Float32"), "p_bad": [0.0] * len(full)}
        )

    def surprise(
        directory: Path,
        prompts: list[str],
        written: list[str],
        batch_size: int,
        device: str,
        *,
        precision: str,
        too_long: str,
    ) -> pd.DataFrame:
        log.append(("perplexity", directory.name, precision, batch_size, prompts[0], written[0]))
        assert too_long == "error"
        nll = [6.0 if text == " long" else 2.0 for text in written]
        count = [2] * len(written)
        return pd.DataFrame(
            {"nll_continuation": nll, "tokens_continuation": count, "nll_text": nll, "tokens_text": count}
        )

    monkeypatch.setattr(precision, "generate", texts)
    monkeypatch.setattr(precision, "score_classifier", classify)
    monkeypatch.setattr(precision, "score_perplexity", surprise)
    return log


def compared(generation: str, scorers: dict[str, Any], progress: Any = None) -> pd.DataFrame:
    points = {ONE: Path("merged/one"), TWO: Path("merged/two")}
    judges = {"judge": Path("models/judge"), "base": Path("models/base")}
    sizes = {"generate": 8, "score": 4}
    return compare_precisions(points, judges, PROMPTS, SAMPLING, generation, scorers, sizes, progress=progress)


def test_what_is_run(asked: list[tuple]) -> None:
    steps: list[int] = []
    compared("fp16", SCORERS, steps.append)
    full = ("the film a", "the film b", "the plot was c", "the plot was long")
    exact = (*full[:3], "the plot was d")
    labels = {"LABEL_0": "good"}
    assert asked == [
        ("generate", "one", "fp32"),
        ("generate", "two", "fp32"),
        ("generate", "one", "fp16"),
        ("generate", "two", "fp16"),
        ("classify", "judge", "fp32", 4, labels, full),
        ("classify", "judge", "fp32", 4, labels, exact),
        ("classify", "judge", "bf16", 4, labels, full),
        ("perplexity", "base", "fp32", 4, "the film", " a"),
        ("perplexity", "base", "fp32", 4, "the film", " a"),
    ]
    assert steps == list(range(1, 10)) and runs(2, "fp16", ["bf16", "fp32"]) == 9


def test_a_stage_in_fp32_is_not_compared(asked: list[tuple]) -> None:
    table = compared("fp32", SCORERS)
    assert list(table["stage"]) == ["scoring", "scoring"] and set(table["scorer"]) == {"sentiment"}
    assert len(asked) == runs(2, "fp32", ["bf16", "fp32"]) == 5


def test_differences_of_texts(asked: list[tuple]) -> None:
    table = compared("fp16", SCORERS)
    assert list(table.columns) == PRECISION_COLUMNS
    assert list(zip(table["stage"], table["scorer"], table["point"], strict=True)) == [
        ("generation", "sentiment", ONE.id),
        ("generation", "sentiment", TWO.id),
        ("generation", "perplexity", ONE.id),
        ("generation", "perplexity", TWO.id),
        ("scoring", "sentiment", ONE.id),
        ("scoring", "sentiment", TWO.id),
    ]
    sentiment, perplexity = table.iloc[0], table.iloc[2]
    # Scores 0.5 + 0.2 / 2 of three texts; in fp16 the last one has 0.9 + 0.1.
    assert sentiment["precision"] == "fp16" and sentiment["statistic"] == "score" and sentiment["n_texts"] == 3
    assert sentiment["fp32"] == pytest.approx(0.6) and sentiment["value"] == pytest.approx((0.6 + 0.6 + 1) / 3)
    assert sentiment["difference"] == pytest.approx(0.4 / 3)
    assert sentiment["mean_absolute"] == pytest.approx(0.4 / 3) and sentiment["max_absolute"] == pytest.approx(0.4)
    # Residuals -0.4 / 3 and 0.4 / 3 of 3 texts; Student's t of two prompts.
    reach = 12.7062047 * 0.8 / 9
    assert sentiment["low"] == pytest.approx(0.4 / 3 - reach) and sentiment["high"] == pytest.approx(0.4 / 3 + reach)
    assert sentiment["equal_texts"] == 0.75
    # 8 tokens: 8 nats, and in fp16 12.
    assert perplexity["statistic"] == "continuation_corpus" and perplexity["n_texts"] == 4
    assert perplexity["fp32"] == pytest.approx(math.e) and perplexity["value"] == pytest.approx(math.exp(1.5))
    assert perplexity["difference"] == pytest.approx(math.exp(0.5) - 1)
    assert perplexity["mean_absolute"] == pytest.approx(0.5) and perplexity["max_absolute"] == pytest.approx(2)


def test_differences_of_scores(asked: list[tuple]) -> None:
    scoring = compared("fp16", SCORERS).iloc[-1]
    assert scoring["precision"] == "bf16" and scoring["equal_texts"] == 1 and scoring["n_texts"] == 3
    # Of the study's texts, which are those in fp16.
    assert scoring["fp32"] == pytest.approx(2.2 / 3) and scoring["difference"] == pytest.approx(-0.1)
    assert scoring["mean_absolute"] == pytest.approx(0.1) and scoring["max_absolute"] == pytest.approx(0.1)
    assert scoring["low"] == pytest.approx(-0.1, abs=1e-5) and scoring["high"] == pytest.approx(-0.1, abs=1e-5)


def test_a_scorer_compares_as_many_samples_as_it_scores(asked: list[tuple]) -> None:
    table = compared("fp16", {**SCORERS, "perplexity": {**SCORERS["perplexity"], "samples": 1}})
    sentiment, perplexity = table.iloc[0], table.iloc[2]
    assert (sentiment["n_texts"], perplexity["n_texts"]) == (3, 2)
    # The one text that differs is a second sample.
    assert (perplexity["difference"], perplexity["max_absolute"]) == (0, 0) and sentiment["difference"] > 0.1


def test_one_prompt_has_no_interval(asked: list[tuple], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = precision.generate
    monkeypatch.setattr(precision, "generate", lambda *a, **k: texts(*a, **k).iloc[2:].reset_index(drop=True))
    row = compared("fp16", {"perplexity": SCORERS["perplexity"]}).iloc[0]
    assert math.isnan(row["low"]) and math.isnan(row["high"]) and row["n_texts"] == 2


def test_the_largest_difference_decides(asked: list[tuple]) -> None:
    table = compared("fp16", SCORERS)
    check_precisions(table, SCORERS, 0.65, "It is a test.")
    with pytest.raises(UserError) as error:
        check_precisions(table, SCORERS, 0.6, "It is a test.")
    assert str(error.value).startswith(
        f"generation in fp16 changes continuation_corpus of perplexity at {ONE.id} from 2.718 to 4.482 (relative "
        "difference 0.65 [-1, 9.5e+02], threshold 0.6: It is a test.); choose fp32 there"
    )
    without = table[table["scorer"] == "sentiment"]
    with pytest.raises(UserError, match=r"changes score of sentiment at .* \(difference 0\.13 "):
        check_precisions(without, SCORERS, 0.1, "It is a test.")
    # Where nothing could be compared nothing is shown.
    with pytest.raises(UserError, match="difference nan"):
        check_precisions(table.assign(difference=math.nan), SCORERS, 0.6, "It is a test.")


def test_the_table_is_written(asked: list[tuple], tmp_path: Path) -> None:
    write_precisions(compared("fp16", SCORERS), tmp_path / "half.csv")
    table = pd.read_csv(tmp_path / "half.csv")
    assert list(table.columns) == PRECISION_COLUMNS == columns_of("`tables/<analysis>.csv`, precision")
    assert table.loc[0, "difference"] == 0.133333


def test_real_models(tiny_gpt2: Path) -> None:
    scorers = {"perplexity": {**SCORERS["perplexity"], "precision": "bf16"}}
    points, judges = {ONE: tiny_gpt2}, {"base": tiny_gpt2}
    sizes = {"generate": 8, "score": 8}
    table = compare_precisions(points, judges, PROMPTS, SAMPLING, "bf16", scorers, sizes)
    assert list(table["stage"]) == ["generation", "scoring"]
    scoring = table.iloc[1]
    assert 0 < abs(scoring["difference"]) < 0.02 and 0 < scoring["max_absolute"] < 0.1
    assert table["n_texts"].tolist() == [4, 4]


# --- the study ---

CHECK = {
    "kind": "precision",
    "sweep": "theta1",
    "prompts": "neutral",
    "prefixes": 2,
    "at": [0, 1],
    "threshold": 0.5,
    "reason": "For a test.",
}


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny study with a comparison of precisions; ``changes`` are precisions of generation and of scorers."""
    config = json.loads(json.dumps(yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text())))
    for name, value in changes.items():
        (config["generation"] if name == "generation" else config["scorers"][name])["precision"] = value
    config["analyses"]["half"] = dict(CHECK)
    return config


def test_fp32_is_the_default() -> None:
    config = tiny()
    del config["analyses"]["half"]
    _, resolved, _ = declare(config)
    assert resolved["generation"]["precision"] == "fp32"
    assert [scorer.get("precision") for scorer in resolved["scorers"].values()] == ["fp32", "fp32", "fp32", None]


def test_what_the_comparison_reads() -> None:
    study = Study(tiny(generation="bf16", perplexity="fp16"))
    assert study.analysis_settings("half")["models"] == ["sentiment-judge", "grammar-judge", "base"]
    assert study.analysis_inputs("half") == {
        "models": [f"results/tiny/models/{name}" for name in ("sentiment-judge", "grammar-judge", "base")],
        "prompts": "results/tiny/prompts/neutral.parquet",
        "checkpoints": [f"results/tiny/checkpoints/half/{name}=1" for name in ("negative", "positive")],
    }
    assert "half" in study.checkpoint_uses()
    settings = study.analysis_settings("half")
    assert settings["generation"] == "bf16" and settings["points"] == ["negative=1", "positive=1"]
    assert [(name, spec["precision"]) for name, spec in settings["scorers"]] == [
        ("sentiment", "fp32"),
        ("grammar", "fp32"),
        ("perplexity", "fp16"),
    ]
    # A change of words is no reason to run it again.
    assert "reason" not in settings and "precision" not in study.sampling("neutral")
    facts = figure_settings(study, "fig3")["text"]["facts"]
    assert [fact for fact in facts if "our reading" in fact] == [
        "texts in bf16, our reading",
        "perplexity in fp16, our reading",
    ]


def mistake(config: dict[str, Any]) -> str:
    with pytest.raises(UserError) as error:
        declare(config)
    return str(error.value)


@pytest.mark.parametrize("name", ["generation", "sentiment", "perplexity"])
def test_a_lower_precision_without_a_comparison(name: str) -> None:
    config = tiny(**{name: "bf16"})
    declare(config)
    del config["analyses"]["half"]
    path = name if name == "generation" else f"scorers.{name}"
    assert mistake(config).startswith(f"config: {path}.precision: bf16 is compared with fp32 nowhere; add an analysis")


def test_a_comparison_that_misses_the_scorer() -> None:
    config = tiny(grammar="bf16", sentiment="bf16")
    config["sweeps"]["theta1"]["scorers"] = ["sentiment", "perplexity"]
    config["figures"] = {}
    assert mistake(config).startswith("config: scorers.grammar.precision: bf16 is compared with fp32 nowhere")


def test_a_comparison_of_nothing() -> None:
    assert mistake(tiny()).startswith("config: analyses.half: generation and scorers of 'theta1' are all in fp32")
    config = tiny(generation="bf16")
    config["analyses"]["half"]["sweep"] = "toward"
    config["sweeps"]["toward"]["scorers"] = ["distinct"]
    config["figures"] = {}
    assert mistake(config) == "config: analyses.half.sweep: no model scores the texts of 'toward'; choose another"


def test_a_comparison_that_cannot_be_made() -> None:
    config = tiny(generation="bf16")
    config["analyses"]["half"]["at"] = [0.25]
    assert mistake(config) == "config: analyses.half.at: 0.25 is not on the grid of sweep 'theta1'; add it there"
    config = tiny(generation="bf16")
    config["analyses"]["half"]["sweep"] = "ensemble"
    assert "is in the space of logits" in mistake(config)
    config = tiny(distinct="bf16")
    assert "scorers.distinct.precision: kind distinct has no use for it; remove it" in mistake(config)
    config = tiny(generation="int8")
    assert mistake(config) == 'config: generation.precision is "int8"; choose one of fp32, bf16, fp16'
