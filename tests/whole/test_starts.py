"""Starts from a centroid through Snakemake: families, their means, biases and few texts, the verdict and its figure."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from lm_interpolation.data.parquet import read_parquet
from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
SHORT = {**TINY["models"]["base"]["training"], "steps": 4, "save_steps": 2}
DATA = {
    "mood": {"corpus": "reviews", "class": "positive"},
    "order": {"corpus": "errors", "class": "exchange"},
    "topic": {"corpus": "topics"},
}
TOPICS = ("film", "book", "restaurant", "hotel", "album")


def study() -> dict[str, Any]:
    """Three data sets, two models of each, and starts from the centroid without each; biases and 20 texts only."""

    def model(start: str, name: str, seeds: list[int], few: bool) -> dict[str, Any]:
        data = DATA[name] | ({"limit": 20} if few else {})
        training = SHORT | ({"trainable": "biases", "learning_rate": 0.03} if few else {})
        spec = {"task": "language-model", "start": {"model": start}, "data": data}
        return {**spec, "training": training, "replicates": seeds}

    models: dict[str, Any] = {"base": {**TINY["models"]["base"], "training": SHORT}}
    models |= {name: model("base", name, [0, 1], few=False) for name in DATA}
    for name in DATA:
        others = [other for other in DATA if other != name]
        models[f"without-{name}"] = {"task": "language-model", "start": {"mean": others}}
        models[f"{name}-warm"] = model(f"without-{name}", name, [0, 1], few=True)
        models[f"{name}-cold"] = model("base", name, [0, 1], few=True)
    counts = {"train": 250, "dev": 50, "test": 50}
    corpora = {key: TINY["corpora"][key] for key in ("general", "reviews")} | {
        "errors": {"source": "synthetic", "kind": "errors", "counts": counts, "shard": {"index": 2, "count": 4}},
        "topics": {
            "source": "topics",
            "counts": counts,
            "shard": {"index": 3, "count": 4},
            "label_words": dict(zip(TOPICS, "ABCDE", strict=True)),
        },
    }
    targets = {n: {"analysis": f"{n}-loss", "centroid": [f"{n}-warm"], "base": [f"{n}-cold"]} for n in DATA}
    return {
        "study": "tiny",
        "corpora": corpora,
        "tokenizers": TINY["tokenizers"],
        "models": models,
        "sets": {f"{name}-starts": {"models": [f"{name}-warm", f"{name}-cold"]} for name in DATA},
        "analyses": {
            f"{name}-loss": {
                "kind": "model_loss",
                "sets": [f"{name}-starts"],
                "corpus": data["corpus"],
                **({"classes": [data["class"]]} if "class" in data else {}),
                "limit": 20,
            }
            for name, data in DATA.items()
        },
        "figures": {"start": {"kind": "start", "panels": [{"label": "20 texts, biases only", "targets": targets}]}},
        "claims": {
            "start": {
                "test": "start_gain", "targets": targets, "statistic": "nll_token", "threshold": 0, "reason": "ours",
            }
        },
    }  # fmt: skip


def test_starts_from_centroids(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    finish(tmp_path)
    # Nothing is left to do, the means of families included.
    jobs = all_planned(tmp_path)
    assert not set(jobs) - {"summary", "overview"}
    top = tmp_path / "results" / "tiny"
    weights = {path.name: load_file(path / "model.safetensors") for path in (top / "models").iterdir()}

    # The centroid is the mean of all models of the other two data sets.
    parts = [weights[f"{name}.s{seed}"] for name in ("order", "topic") for seed in (0, 1)]
    for key, value in weights["without-mood"].items():
        mean = np.mean([part[key].astype(np.float64) for part in parts], axis=0)
        np.testing.assert_array_equal(value, mean.astype(np.float32), err_msg=key)

    # What starts from it moves in its biases alone; seeds differ.
    for model, start in (("mood-warm", "without-mood"), ("mood-cold", "base")):
        for key, value in weights[start].items():
            same = [np.array_equal(value, weights[f"{model}.s{seed}"][key]) for seed in (0, 1)]
            assert same == [not key.endswith(".bias")] * 2, key
    assert _digest(weights["mood-warm.s0"]) != _digest(weights["mood-warm.s1"])
    assert json.loads((top / "training" / "mood-warm.s0" / "metrics.json").read_text())["train_texts"] == 20
    assert json.loads((top / "training" / "mood.s0" / "metrics.json").read_text())["train_texts"] > 20

    # The value is the mean gain of the raw losses.
    gains = []
    for name in DATA:
        losses = read_parquet(top / "losses" / f"{name}-loss.parquet").to_pandas()
        sums = losses.groupby(losses["point"].astype(str).str.extract(r"(warm|cold)\.(s\d)").agg(".".join, axis=1))
        per_token = sums["nll"].sum() / sums["tokens"].sum()
        gains.append(np.mean([per_token[f"cold.s{seed}"] - per_token[f"warm.s{seed}"] for seed in (0, 1)]))
    (entry,) = json.loads((top / "claims.json").read_text())
    assert entry["value"] == pytest.approx(np.mean(gains), rel=1e-5) and entry["units"] == 3
    assert entry["verdict"] == "undecided" and "a verdict needs 8 targets" in entry["note"]
    assert (top / "figures" / "start.png").stat().st_size > 10_000
    assert "from the centroid the loss (nll_token) is" in (top / "figures" / "start.md").read_text()
    texts = read_parquet(top / "corpora" / "topics" / "test.parquet")["text"].to_pylist()
    assert all(text[-9:-1] in {f"Topic: {letter}" for letter in "ABCDE"} for text in texts)


def _digest(tensors: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(b"".join(tensors[key].tobytes() for key in sorted(tensors))).hexdigest()
