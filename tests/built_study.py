"""A study that looks as if the workflow had built it, made in seconds, for testing programs that use results."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.models.fisher import fisher_information
from lm_interpolation.models.input_grams import input_grams
from lm_interpolation.models.loading import load_model
from lm_interpolation.models.model_statistics import write_statistic
from lm_interpolation.points.algebra import Point, build_sweep
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.study.extending import extended
from lm_interpolation.tables.tables import sweep_table, write_table
from lm_interpolation.texts.generation import Sampling, generate, write_texts
from tests.scorers import statistics

TINY = Path(__file__).parent / "tiny.yaml"
CLASSES = {0: "negative", 1: "neutral", 2: "positive"}
# Neither dense nor from 0: rows key the random numbers.
PROMPTS = {3: "the film was", 8: "the plot was", 11: "as everybody"}
SAMPLING = Sampling(top_p=0.9, max_new_tokens=6, samples=3, seed=5)
WEIGHTS = {"positive": 1, "neutral": 0.5}

CONFIG = {
    "extends": str(TINY),
    "study": "own",
    "generation": {"seed": 5, "nucleus": "base"},
    "sweeps": {
        "theta1": {"label": "θ₁(α)", "grid": {"alpha": [-1, 0, 0.5, 1, 2]}},
        "again": {
            "origin": {"base": 1},
            "directions": {"alpha": {"positive": 1, "base": -1}},
            "grid": {"alpha": [0, 1]},
            "prompts": [],
        },
        "plane": {
            "origin": {"base": 1},
            "directions": {"alpha": {"positive": 1, "base": -1}, "gamma": {"negative": 1, "base": -1}},
            "grid": {"alpha": [-1, 2], "gamma": [-1, 2]},
            "anchors": [{"alpha": 0, "gamma": 0}],
            "prompts": ["neutral"],
        },
        "elsewhere": {
            "origin": {"base": 1},
            "directions": {"delta": {"absent-model": 1, "base": -1}},
            "grid": {"delta": [0, 1]},
            "prompts": ["neutral"],
        },
    },
}

METHODS = {
    "ties": {"base": "base", "keep": {"by": "magnitude", "density": "density"}, "elect": "sum", "combine": "mean"},
    "half": {"base": "base", "keep": {"by": "tensors", "share": 0.5}},
}
"""For studies that declare methods."""
STATISTICS = {"information": {"kind": "fisher"}, "inputs": {"kind": "gram"}}
BY_STATISTIC = {
    "fisher": {"base": "base", "combine": {"by": "fisher", "statistic": "information"}},
    "regmean": {"base": "base", "combine": {"by": "regmean", "statistic": "inputs"}},
}
"""Methods that need statistics of models, and these."""
TRIMMED = {
    "method": "ties",
    "origin": {"base": 1},
    "directions": {"weight": {"positive": 1, "negative": 1, "base": -2}},
    "grid": {"weight": [0, 0.5, 1], "density": [0.2, 1]},
    "prompts": ["neutral"],
}
"""A sweep under one of them."""
LAYERED = {
    "space": "layers",
    "origin": {"base": 1},
    "directions": {"eta": {"positive": 1, "base": -1}},
    "grid": {"eta": [-1, 0, 1, 2]},
    "prompts": ["neutral"],
}
"""A sweep in the space of layers."""


def declare(folder: Path, **changes: object) -> Path:
    """The file of the study, ``folder/config/own.yaml``: plain, so that what it cannot have is left out."""
    config, _ = extended({**CONFIG, **changes})
    file = folder / "config" / "own.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def declare_models_alone(folder: Path) -> Path:
    """A file of the study without texts: its models and what they learnt, as a study of regions has it."""
    config = yaml.safe_load(declare(folder).read_text(encoding="utf-8"))
    kept = {key: config[key] for key in ("study", "device", "corpora", "tokenizers", "models") if key in config}
    file = folder / "config" / "models.yaml"
    file.write_text(yaml.safe_dump(kept, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def build(folder: Path, model: Path) -> Path:
    """Build the study in ``folder`` from copies of ``model`` with noise; returns the folder of its results.

    Texts and scores are those of theta1, by the classifier alone.
    """
    declare(folder)
    results = folder / "results" / "own"
    for seed, name in enumerate(("base", "negative", "positive")):
        _noisy(model, results / "models" / name, seed)
    judge = AutoModelForSequenceClassification.from_pretrained(
        model, num_labels=3, id2label=CLASSES, label2id={label: index for index, label in CLASSES.items()}
    )
    with torch.no_grad():
        judge.score.weight.mul_(20)
    directory = results / "models" / "sentiment-judge"
    judge.save_pretrained(directory)
    for file in model.glob("tokenizer*"):
        shutil.copy(file, directory)
    write_checksums(directory)
    metrics = results / "training" / "sentiment-judge" / "metrics.json"
    metrics.parent.mkdir(parents=True)
    # Nobody has trained it.
    test = {"texts": 90, "accuracy": 0.35, "majority_share": 0.4, "expected_calibration_error": 0.2}
    metrics.write_text(json.dumps({"test": test | {"recall": dict.fromkeys(CLASSES.values(), 0.35)}}))
    prompts = pa.table({"row": list(PROMPTS), "text": list(PROMPTS.values())})
    write_parquet(prompts, results / "prompts" / "neutral.parquet")

    spec = yaml.safe_load(TINY.read_text())["sweeps"]["theta1"] | CONFIG["sweeps"]["theta1"]
    sweep = build_sweep("theta1", {"space": "weights", **spec})
    scores = []
    for entry in sweep.points:
        texts = texts_at(results, entry.point.id, folder / "merged")
        write_texts(texts, results / "texts" / "weights" / "neutral" / f"{entry.point.id}.parquet")
        full = texts["row"].map(PROMPTS) + texts["continuation"]
        values = score_classifier(directory, full.tolist(), 5)
        scores.append(texts[["row", "sample"]].assign(point=entry.point.id).join(values))
    scorers = {"sentiment": statistics("classifier", weights=WEIGHTS)}
    table = sweep_table(sweep, {"neutral": {"sentiment": pd.concat(scores, ignore_index=True)}}, scorers, 100, 0)
    write_table(table, results / "tables" / "theta1.csv")
    return results


def _noisy(source: Path, target: Path, seed: int) -> None:
    shutil.copytree(source, target)
    tensors = load_file(source / "model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    for name in sorted(tensors):
        tensors[name] += torch.randn(tensors[name].shape, generator=generator) * 0.2
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    write_checksums(target)


def texts_at(results: Path, point: str, scratch: Path) -> pd.DataFrame:
    """What the workflow generates at a point: from a checkpoint merged into ``scratch``, which is removed."""
    merge(Point.parse(point), models_of(results), scratch)
    prompts = pd.DataFrame({"row": list(PROMPTS), "text": list(PROMPTS.values())})
    texts = generate(scratch, prompts, SAMPLING, batch_size=4)
    shutil.rmtree(scratch)
    return texts


def take_statistics(results: Path, folder: Path) -> None:
    """Write the statistics of the fine-tuned models, on texts that nobody has written, below ``folder``."""
    for name in ("negative", "positive"):
        model, _ = load_model(AutoModelForCausalLM, models_of(results)[name], "cpu")
        texts = torch.randint(
            1, 300, (5, 9), generator=torch.Generator().manual_seed(len(name) + ord(name[0]))
        ).tolist()
        write_statistic(fisher_information(model, texts, 1), folder / "information" / f"{name}.safetensors")
        write_statistic(input_grams(model, texts, 5), folder / "inputs" / f"{name}.safetensors")


def models_of(results: Path) -> dict[str, Path]:
    return {name: results / "models" / name for name in ("base", "negative", "positive")}
