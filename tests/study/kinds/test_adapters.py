"""Adapters as models: what a study may say, and how they are planned."""

from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.study.extending import laid_over
from lm_interpolation.study.fetch_plan import fetch_plan
from lm_interpolation.study.leak_plan import leak_plan
from lm_interpolation.study.study import Study
from tests.adapters import edited_config, save_adapter, save_llama
from tests.tiny_study import TINY, change, errors_of, tiny_study

HUB = {"hub": "some/adapter", "revision": "main"}
SWEEP = {"origin": {"base": 1}, "directions": {"beta": {"tuned": 1, "base": -1}}, "grid": {"beta": [-1, 0, 1]}}


def study_config(adapter: Any = HUB, **changes: Any) -> dict[str, Any]:
    """The tiny study with a model of an adapter; ``changes`` are values by their key paths, joined by ``__``."""
    config = tiny_study()
    config["models"]["tuned"] = {"task": "language-model", "start": {"model": "base", "adapter": adapter}}
    config["sweeps"]["adapted"] = dict(SWEEP)
    change(config, changes)
    return config


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama") / "base", tiny_tokenizer)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, llama: Path) -> Path:
    return save_adapter(llama, tmp_path_factory.mktemp("adapter") / "own", target_modules=["down_proj"])


def with_local_base(base: Path, adapter: Path) -> dict[str, Any]:
    """A study of a base and an adapter in local folders."""
    models = {"base": {"task": "language-model", "start": {"directory": str(base)}}}
    models["tuned"] = {"task": "language-model", "start": {"model": "base", "adapter": {"directory": str(adapter)}}}
    sweep = {key: value for key, value in SWEEP.items() if key != "prompts"}
    return {"study": "own", "models": models, "sweeps": {"adapted": sweep}}


def test_it_is_made_of_its_base() -> None:
    study = Study(study_config())
    assert (study.models.derived("adapter"), study.models.derived("mean")) == (["tuned"], [])
    assert study.models.imported() == []
    assert study.config["models"]["tuned"]["start"] == {"model": "base", "adapter": HUB}
    assert study.models.files("tuned") == []
    assert "base" in study.models.starts()
    assert study.models.tokenizer_folder("tuned") == "results/tiny/tokenizers/bpe"
    assert [entry.point.id for entry in study.sweeps["adapted"].points] == ["base=2+tuned=-1", "base=1", "tuned=1"]


def test_it_can_be_trained_further() -> None:
    further = {**TINY["models"]["positive"], "start": {"model": "tuned"}}
    study = Study(study_config(models__further=further))
    assert study.models.inputs("further")["start"] == "results/tiny/models/tuned"


def test_what_it_learnt_from_is_not_known() -> None:
    judge = {"kind": "perplexity", "model": "tuned"}
    unknown = leak_plan(Study(study_config(scorers__perplexity=judge)))["unknown"]
    assert unknown == ["what imported models learnt from is not known: tuned"]


def test_an_adapter_in_a_folder_is_an_input(llama: Path, adapter: Path) -> None:
    study = Study(with_local_base(llama, adapter))
    files = [str(adapter / name) for name in ("adapter_config.json", "adapter_model.safetensors")]
    assert study.models.files("tuned") == files


def test_an_adapter_of_the_hub_is_fetched() -> None:
    study = Study(study_config(models__again={"task": "language-model", "start": {"model": "tuned", "adapter": HUB}}))
    plan = fetch_plan(study.config, study.corpora)
    found = {"id": "some/adapter", "revision": "main", "key": "models.tuned.start.adapter", "adapter": True}
    assert plan["models"] == [found]


def test_what_is_wrong_with_a_folder_is_told_before_anything_runs(
    tmp_path: Path, llama: Path, adapter: Path, tiny_gpt2: Path
) -> None:
    key = "config: models.tuned.start.adapter.directory"
    assert errors_of(with_local_base(llama, tmp_path / "no")) == [
        f"{key}: {tmp_path}/no: no such directory; give the folder of an adapter (adapter_config.json, "
        "adapter_model.safetensors)"
    ]
    dora = edited_config(adapter, tmp_path / "dora", use_dora=True)
    (line,) = errors_of(with_local_base(llama, dora))
    assert line.startswith(f"{key}: {dora}/adapter_config.json: use_dora is true, and DoRA is not read")
    (line,) = errors_of(with_local_base(tiny_gpt2, adapter))
    assert line.startswith(f"{key}: {adapter}: changes model.layers.0.mlp.down_proj.weight, which {tiny_gpt2} does not")
    # A base that is wrong itself is told once.
    (line,) = errors_of(with_local_base(tmp_path / "none", adapter))
    assert line.startswith("config: models.base.start.directory: ")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"models__tuned__start": {"adapter": HUB}},
            "config: key 'model' is missing at models.tuned.start; a start from adapter needs it",
        ),
        (
            {"models__tuned__start__model": "bas"},
            "config: models.tuned.start.model: model 'bas' is not declared; did you mean 'base'?",
        ),
        (
            {"models__tuned__start__model": "grammar-judge"},
            "config: models.tuned.start.model: 'grammar-judge' is a classifier; choose a language model",
        ),
        (
            {"models__tuned__start__adapter": {}},
            "config: models.tuned.start.adapter has none; give exactly one of directory, hub",
        ),
        (
            {"models__tuned__start__adapter": {**HUB, "directory": "x"}},
            "config: models.tuned.start.adapter has directory and hub; give exactly one of directory, hub",
        ),
        (
            {"models__tuned__start__adapter": {"hub": "some/adapter"}},
            "config: models.tuned.start.adapter: hub needs revision; add revision or remove hub",
        ),
        (
            {"models__tuned__start__adapter": {"directory": "x", "revision": "main"}},
            "config: models.tuned.start.adapter: revision needs hub; add hub or remove revision",
        ),
        (
            {"models__tuned__start__adapter": "folder"},
            'config: models.tuned.start.adapter is "folder"; give a mapping',
        ),
        (
            {"models__tuned__start__mean": ["base"]},
            "config: models.tuned.start has model and mean and adapter; give exactly one of hub, directory, model, "
            "architecture, architecture_of, mean, greedy, align, adapter",
        ),
        (
            {"models__tuned__start": {"model": "base"}},
            "config: models.tuned: has no data and training, so start must be hub, directory, mean, greedy, align or "
            "adapter",
        ),
        (
            {"models__tuned__task": "classifier", "sweeps__adapted": None},
            "config: models.tuned.task: start.adapter is for language models; train the classifier from one",
        ),
        (
            {
                "models__tuned__data": {"corpus": "reviews"},
                "models__tuned__training": TINY["models"]["base"]["training"],
            },
            "config: models.tuned: declare the model that training starts from as a model of its own",
        ),
        (
            {"models__tuned__start__model": "tuned"},
            "config: models.tuned.start.adapter: tuned <- tuned is a circle; break it",
        ),
    ],
)
def test_mistakes(changes: dict[str, Any], line: str) -> None:
    assert line in errors_of(study_config(**changes))


def test_an_override_gives_an_adapter_its_base_or_a_model_its_adapter() -> None:
    base = {"models": {"tuned": {"start": {"model": "base", "adapter": HUB}}}}

    def laid(start: dict[str, Any], below: dict[str, Any] = base) -> Any:
        return laid_over(below, {"models": {"tuned": {"start": start}}})["models"]["tuned"]["start"]

    assert laid({"model": "other"}) == {"model": "other", "adapter": HUB}
    assert laid({"directory": "x"}) == {"directory": "x"}
    plain = {"models": {"tuned": {"start": {"model": "base"}}}}
    assert laid({"adapter": HUB}, plain) == {"model": "base", "adapter": HUB}
    hub = {"models": {"tuned": {"start": {**HUB, "special_tokens": "bos"}}}}
    assert laid({"model": "base", "adapter": HUB}, hub) == {"model": "base", "adapter": HUB}
