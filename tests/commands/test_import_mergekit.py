"""Configurations of mergekit, most of them after its own examples and issues, as sweeps of a study."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.commands import import_mergekit
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.patterns import first_match
from lm_interpolation.study.config import declare
from lm_interpolation.study.extending import laid_over

ROOT = Path(__file__).parents[2]


def imported(folder: Path, text: str, *arguments: str) -> tuple[dict[str, Any], str]:
    """The fragment, as a mapping and as a text."""
    file, target = folder / "merge.yml", folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    import_mergekit.main([str(file), "--to", str(target), *arguments])
    fragment = target.read_text(encoding="utf-8")
    target.unlink()
    return yaml.safe_load(fragment), fragment


def refused(folder: Path, text: str, *arguments: str) -> list[str]:
    """The lines that say what cannot be translated, without the name of the file."""
    with pytest.raises(UserError) as told:
        imported(folder, text, *arguments)
    assert not (folder / "study.yaml").exists()
    start = f"{folder / 'merge.yml'}: "
    assert all(line.startswith(start) for line in told.value.lines())
    return [line.removeprefix(start) for line in told.value.lines()]


def flat(text: str) -> str:
    """A fragment with each comment on one line."""
    return re.sub(r"\n# +(?!- )", " ", text)


def entries(*models: str) -> str:
    return "models:\n" + "".join(f"  - {model}\n" for model in models)


def model(name: str, **parameters: Any) -> str:
    return f"{{model: {name}, parameters: {parameters}}}" if parameters else f"{{model: {name}}}"


def merge(method: str, *models: str, base: str = "", **parameters: Any) -> str:
    written = "\nbase_model: " + base if base else ""
    return entries(*models) + f"merge_method: {method}{written}\nparameters: {json.dumps(parameters)}"


def slices(*ranges: tuple[int, int], models: tuple[str, ...] = ("o/a", "o/b"), method: str = "linear") -> str:
    sources = [{"sources": [{"model": name, "layer_range": list(blocks)} for name in models]} for blocks in ranges]
    return yaml.safe_dump({"slices": sources, "merge_method": method, "parameters": {"weight": 1}})


# --- one configuration per method ---

A, B, C = (model(f"owner/{name}", weight=weight) for name, weight in (("a", 1.0), ("b", 0.3), ("c", 0.5)))
HALVES = [model(f"owner/{name}", weight=0.5, density=0.5) for name in "ab"]
TWO = [model(f"owner/{name}", weight=0.5) for name in "ab"]
PLAIN = [model("owner/a"), model("owner/b")]
GAMMA = [0, 0.5, 1, 1.5]
DENSITY = [0.2, 0.5, 1]
SHARES = [0, 0.25, 0.5, 0.75, 1]
HALF = {"a": 0.5, "b": 0.5, "base": -1}
BASE = "owner/base"


def of(direction: dict[str, float], origin: str, **grid: Any) -> dict[str, Any]:
    coordinate = next(iter(grid))
    return {"origin": {origin: 1}, "directions": {coordinate: direction}, "grid": grid}


TABLE: dict[str, tuple[str, dict[str, Any] | None, dict[str, Any]]] = {
    # examples/linear.yml: divided by the sum, 1.8.
    "linear": (
        merge("linear", A, B, C),
        None,
        of({"b": 0.166667, "c": 0.277778, "a": -0.444445}, "a", gamma=GAMMA),
    ),
    "linear of two": (
        merge("linear", A, B, normalize=True),
        None,
        of({"b": 1, "a": -1}, "a", share=[0, 0.230769, 0.25, 0.5, 0.75, 1]),
    ),
    # Issues 213 and 214: a negative weight, as it is.
    "linear without normalize": (
        merge("linear", A, model("owner/b", weight=0.5), model("owner/c", weight=-0.5), normalize=False),
        None,
        of({"b": 0.5, "c": -0.5, "a": 0}, "a", gamma=GAMMA),
    ),
    "task_arithmetic": (
        merge("task_arithmetic", A, model("owner/b", weight=-0.3), base=BASE, **{"lambda": 0.5}),
        None,
        of({"a": 0.5, "b": -0.15, "base": -0.35}, "base", gamma=GAMMA),
    ),
    # examples/bio-merge.yml.
    "ties": (
        merge("ties", *HALVES, base=BASE, normalize=False, int8_mask=True),
        {"keep": {"by": "magnitude", "density": "density", "over": "tensor"}, "elect": "sum", "combine": "sum"},
        of(HALF, "base", gamma=GAMMA, density=DENSITY),
    ),
    # Normalized by default: weights of 1 and 0.6, with lambda 0.8.
    "ties by default": (
        merge("ties", A, model("owner/b", weight=0.6), base=BASE, density=0.3, **{"lambda": 0.8}),
        {"keep": {"by": "magnitude", "density": "density", "over": "tensor"}, "elect": "sum", "combine": "mean"},
        of({"a": 0.5, "b": 0.3, "base": -0.8}, "base", gamma=GAMMA, density=[0.2, 0.3, 0.5, 1]),
    ),
    "dare_linear": (
        merge("dare_linear", *HALVES, base=BASE),
        {"keep": {"by": "chance", "density": "density", "rescale": "inverse", "seed": 0}},
        of(HALF, "base", gamma=GAMMA, density=DENSITY),
    ),
    "dare_ties": (
        merge("dare_ties", *HALVES, base=BASE, normalize=True, rescale=False),
        {
            "keep": {"by": "chance", "density": "density", "rescale": "none", "seed": 0},
            "elect": "sum",
            "combine": "mean",
        },
        of(HALF, "base", gamma=GAMMA, density=DENSITY),
    ),
    "breadcrumbs": (
        merge("breadcrumbs", *TWO, base=BASE, density=0.9, gamma="1e-2"),
        {"keep": {"by": "band", "density": "density", "drop_top": 0.01}},
        of(HALF, "base", gamma=GAMMA, density=[0.2, 0.5, 0.9]),
    ),
    # mergekit keeps the density, and drops fewer of the largest.
    "breadcrumbs_ties": (
        merge("breadcrumbs_ties", *TWO, base=BASE, density=0.95, gamma=0.1),
        {"keep": {"by": "band", "density": "density", "drop_top": 0.05}, "elect": "sum", "combine": "sum"},
        of(HALF, "base", gamma=GAMMA, density=[0.2, 0.5, 0.95]),
    ),
    "della": (
        merge("della", *HALVES, base=BASE, epsilon=0.2),
        {
            "keep": {"by": "rank", "density": "density", "epsilon": 0.2, "seed": 0},
            "elect": "sum",
            "combine": "mean",
        },
        of(HALF, "base", gamma=GAMMA, density=[0.5, 1]),
    ),
    "della_linear": (
        merge("della_linear", *TWO, base=BASE, density=0.7),
        {"keep": {"by": "rank", "density": "density", "epsilon": 0.15, "seed": 0}},
        of(HALF, "base", gamma=GAMMA, density=[0.2, 0.5, 0.7, 1]),
    ),
    "slerp": (
        merge("slerp", *PLAIN, base="owner/a", t=0.3),
        {"combine": "slerp"},
        of({"b": 1, "a": -1}, "a", share=[0, 0.25, 0.3, 0.5, 0.75, 1]),
    ),
    "nuslerp": (
        merge("nuslerp", A, model("owner/b", weight=3)),
        {"combine": "slerp"},
        of({"b": 1, "a": -1}, "a", share=SHARES),
    ),
    "nuslerp of displacements": (
        merge("nuslerp", *TWO, base=BASE),
        {"combine": "slerp", "base": "base"},
        of({"b": 1, "a": -1}, "a", share=SHARES),
    ),
    "model_stock": (
        merge("model_stock", *PLAIN, base=BASE),
        {"combine": "stock"},
        of(HALF, "base", gamma=GAMMA),
    ),
    "sce": (
        merge("sce", *PLAIN, base=BASE, select_topk=0.1),
        {"keep": {"by": "variance", "density": "density"}, "combine": "sce"},
        of(HALF, "base", gamma=GAMMA, density=[0.1, 0.2, 0.5, 1]),
    ),
    "karcher": (
        merge("karcher", *PLAIN, model("owner/c"), model("owner/d"), max_iter=20),
        {"combine": {"by": "karcher", "iterations": 20}},
        of({"b": 0.25, "c": 0.25, "d": 0.25, "a": -0.75}, "a", share=[0, 0.5, 1]),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_methods(tmp_path: Path, name: str) -> None:
    text, settings, sweep = TABLE[name]
    fragment, _ = imported(tmp_path, text)
    (title,) = fragment["sweeps"]
    assert title == name.split()[0].replace("_", "-")
    if settings is None:
        assert "methods" not in fragment
        assert fragment["sweeps"][title] == sweep
    else:
        base = {"base": "base"} if "base_model: owner/base" in text else {}
        assert fragment["methods"] == {title: {**base, **settings}}
        assert fragment["sweeps"][title] == {"method": title, **sweep}
    assert fragment["models"]["a"] == {"task": "language-model", "start": {"hub": "owner/a", "revision": "main"}}


@pytest.mark.parametrize("name", TABLE)
def test_a_study_takes_the_fragment(tmp_path: Path, name: str) -> None:
    text, settings, _ = TABLE[name]
    fragment, written = imported(tmp_path, text)
    stub = yaml.safe_load((ROOT / "config" / "minimal.yaml").read_text(encoding="utf-8"))
    stub["models"].pop("base"), stub["sweeps"].clear(), stub["figures"].clear()
    stub["models"] = {name: entry for name, entry in stub["models"].items() if name == "acceptability-judge"}
    stub["scorers"].pop("perplexity")
    declared, _, left_out = declare(laid_over(stub, fragment))
    assert not left_out
    (sweep,) = declared.built_sweeps().values()
    point = re.search(r"the point (\S+) of the sweep", flat(written))
    assert point is not None
    here = [one for one in sweep.points if ",".join(f"{key}={value:f}" for key, value in one.coordinates) == point[1]]
    assert len(here) == 1
    assert (here[0].point.method == "") == (settings is None)


# --- values by filter and by block ---

NAMES = [
    "model.embed_tokens.weight",
    *(
        f"model.layers.{block}.{module}.weight"
        for block in range(12)
        for module in ("input_layernorm", "self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")
    ),
    "model.norm.weight",
    "lm_head.weight",
]


def factors(fragment: dict[str, Any]) -> dict[str, float]:
    """The factor of each tensor by the rules of the only method."""
    (method,) = fragment["methods"].values()
    patterns = [rule["tensors"] for rule in method["scale"]]
    found = {name: first_match(patterns, name) for name in NAMES}
    return {name: 1.0 if place is None else method["scale"][place]["factor"] for name, place in found.items()}


def test_a_gradient_of_slerp_is_a_line_in_each_tensor(tmp_path: Path) -> None:
    """examples/gradient-slerp.yml, with twelve blocks."""
    text = yaml.safe_dump(
        {
            "slices": [{"sources": [{"model": name, "layer_range": [0, 12]} for name in ("o/orca", "o/platypus")]}],
            "merge_method": "slerp",
            "base_model": "o/orca",
            "parameters": {
                "t": [
                    {"filter": "self_attn", "value": [0, 0.5, 0.3, 0.7, 1]},
                    {"filter": "mlp", "value": [1, 0.5, 0.7, 0.3, 0]},
                    {"value": 0.5},
                ]
            },
            "dtype": "float16",
        }
    )
    fragment, written = imported(tmp_path, text)
    found = factors(fragment)
    # Block 1 lies at 1/11 of four steps: 4/11 of the way from 0 to 0.5.
    assert found["model.layers.1.self_attn.q_proj.weight"] == pytest.approx(0.5 * 4 / 11, abs=1e-6)
    assert found["model.layers.1.mlp.up_proj.weight"] == pytest.approx(1 - 0.5 * 4 / 11, abs=1e-6)
    assert [found[f"model.layers.{block}.self_attn.o_proj.weight"] for block in (0, 11)] == [0, 1]
    assert found["model.layers.7.input_layernorm.weight"] == found["lm_head.weight"] == 0.5
    assert fragment["methods"]["slerp"]["base"] == "orca"
    assert fragment["sweeps"]["slerp"]["directions"] == {"gamma": {"platypus": 1, "orca": -1}}
    assert "this is the straight line instead" in flat(written)
    assert "dtype (float16) is not needed" in written


def test_a_gradient_needs_the_number_of_blocks(tmp_path: Path) -> None:
    text = merge("task_arithmetic", model("o/a", weight=[0.2, 1]), base=BASE)
    assert refused(tmp_path, text) == [
        "the gradient of weight depends on the number of blocks, which the file does not say; give --layers 32"
    ]
    fragment, _ = imported(tmp_path, text, "--layers", "12")
    found = factors(fragment)
    # What lies before and after the blocks has the first value, as in mergekit's plan_module.
    assert found["model.embed_tokens.weight"] == found["model.norm.weight"] == found["lm_head.weight"] == 0.2
    assert found["model.layers.11.mlp.up_proj.weight"] == 1
    assert found["model.layers.1.mlp.up_proj.weight"] == pytest.approx(0.2 + 0.8 / 11, abs=1e-6)
    gpt, _ = imported(tmp_path, text, "--layers", "2", "--blocks", "transformer.h")
    assert gpt["methods"]["task-arithmetic"]["scale"] == [
        {"tensors": "transformer.h.0.**", "factor": 0.2},
        {"tensors": "transformer.h.1.**", "factor": 1},
        {"tensors": "**", "factor": 0.2},
    ]


def test_filters_become_patterns_of_whole_parts(tmp_path: Path) -> None:
    both = [{"filter": "mlp", "value": 0.5}, {"value": 0}]
    fragment, _ = imported(tmp_path, merge("dare_ties", *PLAIN, base=BASE, weight=both))
    assert fragment["methods"]["dare-ties"]["scale"] == [
        {"tensors": "**.mlp.**", "factor": 1},
        {"tensors": "**", "factor": 0},
    ]
    assert fragment["sweeps"]["dare-ties"]["directions"] == {"gamma": HALF}


def test_filters_within_filters(tmp_path: Path) -> None:
    """A narrow filter of one model within a wide one: each tensor has its value, whatever comes first."""
    weight = [{"filter": "self_attn.q_proj", "value": 0.25}, {"filter": "self_attn", "value": 0.5}, {"value": 1}]
    fragment, _ = imported(tmp_path, merge("task_arithmetic", model("o/a", weight=weight), base=BASE))
    found = factors(fragment)
    assert found["model.layers.3.self_attn.q_proj.weight"] == 0.25
    assert found["model.layers.3.self_attn.o_proj.weight"] == 0.5
    assert found["model.norm.weight"] == 1


def test_filters_that_name_a_part_of_a_part(tmp_path: Path) -> None:
    weight = [{"filter": "norm", "value": 0}, {"value": 1}]
    fragment, written = imported(tmp_path, merge("task_arithmetic", model("o/a", weight=weight), base=BASE))
    found = factors(fragment)
    assert found["model.norm.weight"] == found["model.layers.4.input_layernorm.weight"] == 0
    assert found["model.layers.4.mlp.up_proj.weight"] == 1
    assert "'norm' anywhere in a name, and so does **.*norm*.**: input_layernorm" in flat(written)


def test_filters_that_end_in_a_number_take_more_blocks_in_mergekit(tmp_path: Path) -> None:
    weight = [{"filter": "layers.1", "value": 0.5}, {"value": 1}]
    text = merge("task_arithmetic", model("o/a", weight=weight), base=BASE)
    assert refused(tmp_path, text) == [
        "the filter 'layers.1' depends on the number of blocks, which the file does not say; give --layers 32"
    ]
    fragment, written = imported(tmp_path, text, "--layers", "12")
    assert "so takes blocks 1, 10, 11, each with a rule of its own" in flat(written)
    found = factors(fragment)
    low = {int(name.split(".")[2]) for name, factor in found.items() if factor == 0.5}
    assert low == {1, 10, 11} and found["model.embed_tokens.weight"] == 1


def test_a_filter_that_names_nothing_known(tmp_path: Path) -> None:
    weight = [{"filter": "block_sparse_moe", "value": 0}, {"filter": "layers.99.", "value": 0}, {"value": 1}]
    text = merge("task_arithmetic", model("o/a", weight=weight), base=BASE)
    fragment, written = imported(tmp_path, text, "--layers", "12")
    assert fragment["methods"]["task-arithmetic"]["scale"][0] == {"tensors": "**.block_sparse_moe.**", "factor": 0}
    assert "No tensor that we know has 'layers.99.' in its name." in written


def test_linear_with_weights_by_block(tmp_path: Path) -> None:
    """Slices with weights of their own, normalized each, as displacements from one of the two models."""
    parts = [
        {"sources": [{"model": "o/a", "layer_range": [0, 6]}, {"model": "o/b", "layer_range": [0, 6]}]},
        {
            "sources": [
                {"model": "o/a", "layer_range": [6, 12], "parameters": {"weight": 1}},
                {"model": "o/b", "layer_range": [6, 12], "parameters": {"weight": 3}},
            ]
        },
    ]
    text = yaml.safe_dump({"slices": parts, "merge_method": "linear", "parameters": {"weight": 1}})
    fragment, written = imported(tmp_path, text)
    direction = fragment["sweeps"]["linear"]["directions"]["gamma"]
    share = {name: factor * direction["b"] for name, factor in factors(fragment).items()}
    assert direction == {"b": 0.75, "a": -0.75} and fragment["methods"]["linear"]["base"] == "a"
    assert share["model.embed_tokens.weight"] == share["model.layers.5.mlp.up_proj.weight"] == pytest.approx(0.5)
    assert share["model.layers.6.mlp.up_proj.weight"] == share["lm_head.weight"] == pytest.approx(0.75)
    assert "The slices end with block 11, taken for the last one" in flat(written)


def test_blocks_of_two_models_in_order(tmp_path: Path) -> None:
    text = yaml.safe_dump(
        {
            "slices": [
                {"sources": [{"model": "o/a", "layer_range": [0, 5]}]},
                {"sources": [{"model": "o/b", "layer_range": [5, 12]}]},
            ],
            "merge_method": "passthrough",
        }
    )
    found = factors(imported(tmp_path, text)[0])
    from_b = {int(name.split(".")[2]) for name, factor in found.items() if factor and ".layers." in name}
    assert from_b == set(range(5, 12))
    assert (found["model.embed_tokens.weight"], found["model.norm.weight"], found["lm_head.weight"]) == (0, 1, 1)


# --- models ---


def test_origins_and_names_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/final").mkdir(parents=True)
    names = ["./out/Model_v0.1", "runs/final", "gpt2", "a/13B-chat@abc123", "b/13B-chat", "{model: {path: x/zero}}"]
    fragment, _ = imported(tmp_path, merge("linear", *(model(name, weight=1) for name in names)))
    assert {name: entry["start"] for name, entry in fragment["models"].items()} == {
        "model-v0-1": {"directory": "./out/Model_v0.1"},
        "final": {"directory": "runs/final"},
        "gpt2": {"hub": "gpt2", "revision": "main"},
        "model-13b-chat": {"hub": "a/13B-chat", "revision": "abc123"},
        "model-13b-chat-2": {"hub": "b/13B-chat", "revision": "main"},
        "zero-2": {"hub": "x/zero", "revision": "main"},
    }


def test_folders_are_relative_to_the_directory_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study" / "runs" / "final").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    Path("merge.yml").write_text(merge("linear", model("runs/final", weight=1), *TWO), encoding="utf-8")
    import_mergekit.main(["merge.yml", "--to", "out.yaml", "--directory", "study"])
    fragment = yaml.safe_load((tmp_path / "out.yaml").read_text(encoding="utf-8"))
    assert fragment["models"]["final"]["start"] == {"directory": "runs/final"}


def test_notes(tmp_path: Path) -> None:
    text = merge("dare_ties", *HALVES, model("owner/c", weight=0), base=BASE, int8_mask=True, embed_slerp=True)
    _, written = imported(
        tmp_path, text + "\ntokenizer_source: base\nchat_template: chatml\ndtype: bfloat16\nname: x\n"
    )
    for words in (
        "owner/c has the weight 0 everywhere and takes no part.",
        "density is the share that is kept. (The papers give the share that is dropped.)",
        "mergekit matches the sum of sizes of each tensor instead",
        "int8_mask is not needed",
        "dtype (bfloat16) is not needed: sums are float64, stored weights float32.",
        "models with different tokenizers or vocabularies are refused",
        "chat_template is left out",
        "dare_ties has no parameter embed_slerp; mergekit ignores that, and so does this.",
        "mergekit ignores name, and so does this.",
    ):
        assert words in flat(written)


# --- what cannot be said ---

MIXED = [model("o/a", weight=1), model("o/b", weight=-0.5)]
LORA = model("o/a+o/adapter", weight=1)

REFUSED: dict[str, tuple[str, list[str]]] = {
    "two densities": (
        merge("ties", model("o/a", weight=1, density=0.5), model("o/b", weight=1, density=0.3), base=BASE),
        ["density: differs between models (o/a 0.5, o/b 0.3), and a method has one for all; give one"],
    ),
    # examples/ties.yml: everything at once.
    "ties.yml": (
        merge(
            "ties",
            model("o/orca", weight=1, density=[{"filter": "mlp", "value": 1}, {"value": 0.1}]),
            model("o/wizard", weight=[{"filter": "mlp", "value": 0.5}, {"value": 0}], density=0.33),
            base=BASE,
        ),
        [
            "density: that of o/orca varies over tensors (0.1, 1), and a method has one for all; give one",
            "weight: the weights of models vary differently over tensors, and a method scales the displacements of all "
            "models alike; let them vary alike",
        ],
    ),
    "signs": (
        merge("ties", *MIXED, base=BASE),
        [
            "weight: with weights of both signs, ties divides by their sum (normalize: true), and here a mean divides "
            "by that of their sizes; set normalize: false"
        ],
    ),
    "a sum of 0": (
        merge("linear", model("o/a", weight=1), model("o/b", weight=-1)),
        [
            "weight: the weights of model.embed_tokens.weight sum to 0, and mergekit divides by the sum; set "
            "normalize: false, or give others"
        ],
    ),
    "a sum of 0.5": (
        merge("linear", *MIXED, normalize=False),
        [
            "weight: without normalize the weights of model.embed_tokens.weight sum to 0.5, and here coefficients "
            "sum to 1; use normalize: true, or task_arithmetic with a base_model"
        ],
    ),
    "no weight": (
        merge("ties", *PLAIN, base=BASE),
        ["parameter weight of owner/a is missing for model.embed_tokens.weight, as mergekit needs it; add it"],
    ),
    "no number": (
        merge("ties", model("o/a", weight="much"), base=BASE),
        ["parameter weight: is 'much'; give a number"],
    ),
    # Issues 5 and 336: a list that is neither a gradient nor conditions.
    "a mixed list": (
        merge("ties", model("o/a", weight=[{"filter": "mlp", "value": 1}, 0.5]), base=BASE),
        [
            "parameter weight: [{'filter': 'mlp', 'value': 1}, 0.5] mixes values and conditions; give numbers only, or "
            "filter and value"
        ],
    ),
    "rescaled": (
        merge("ties", *TWO, base=BASE, rescale=True),
        ["rescale: displacements kept by size are not rescaled here; set it to false"],
    ),
    "epsilon": (
        merge("della", *TWO, base=BASE, density=0.9),
        ["density: 0.9 with epsilon 0.15 leaves the open interval from 0 to 1, which mergekit refuses; give others"],
    ),
    "nothing kept": (
        merge("dare_ties", *TWO, base=BASE, density=0),
        ["density: is 0, so nothing is kept and the result is the base; give more than 0"],
    ),
    "no base": (merge("ties", *TWO), ["base_model is missing, which ties needs; add it"]),
    "beyond an arc": (
        merge("slerp", *PLAIN, base="owner/a", t=1.5),
        ["t: is 1.5, and an arc is defined here between its ends; give 0 to 1"],
    ),
    "three on an arc": (
        merge("slerp", *PLAIN, base=BASE, t=0.5),
        ["slerp: takes a base_model and one other model, not 3 models"],
    ),
    "one in stock": (
        merge("model_stock", model("o/a"), base=BASE),
        ["model_stock: needs two models at least besides the base; add one"],
    ),
    "rows of stock": (
        merge("model_stock", *PLAIN, base=BASE, filter_wise=True),
        ["filter_wise: the ratio is that of whole tensors here; set it to false"],
    ),
    "rows of nuslerp": (
        merge("nuslerp", *TWO, nuslerp_flatten=False),
        ["nuslerp_flatten: the arc is that of whole tensors here; set it to true"],
    ),
    # Issue 425: vocabularies that differ.
    "union": (
        merge("linear", *TWO) + "\ntokenizer_source: union",
        [
            "tokenizer_source: union makes a vocabulary of several, and models are merged here only if their "
            "tokenizers are equal; if they are, remove the line, else give all models one tokenizer first"
        ],
    ),
    "tokens": (
        merge("linear", *TWO) + "\ntokenizer: {source: base, tokens: {<s>: {source: o/a}}, pad_to_multiple_of: 8}",
        [
            "tokenizer.tokens: embeddings are not changed here; change them in the models first, and remove it",
            "tokenizer.pad_to_multiple_of: embeddings are not changed here; change them in the models first, and "
            "remove it",
        ],
    ),
    "an adapter": (
        merge("linear", LORA, *TWO),
        ["models.0.model: o/a+o/adapter is a model with an adapter; save the two as one model, and give that"],
    ),
    "twice": (
        merge("linear", *TWO, TWO[0]),
        ["models: owner/a is there twice, which mergekit refuses; remove one"],
    ),
    # examples/orcamini-platy-44layer.yml.
    "stacked": (
        slices((0, 24), (20, 40), method="passthrough"),
        [
            "slices.1: block 20 comes again, but the result has here the blocks of its models, each once and in order "
            "(no stacking); continue where the slice before ends"
        ],
    ),
    "left out": (
        slices((4, 8)),
        [
            "slices.0: block 4 comes first, but the result has here the blocks of its models, each once and in order "
            "(no stacking); continue where the slice before ends"
        ],
    ),
    "other blocks": (
        yaml.safe_dump(
            {
                "slices": [{"sources": [{"model": "a", "layer_range": [0, 4]}, {"model": "b", "layer_range": [4, 8]}]}],
                "merge_method": "linear",
            }
        ),
        [
            "slices.0: takes blocks 0 to 3 and 4 to 7, but a block is combined here only with the same block of the "
            "other models; give one layer_range"
        ],
    ),
    "no range": (
        yaml.safe_dump({"slices": [{"sources": [{"model": "a"}]}], "merge_method": "linear"}),
        [
            "slices.0.sources.0.layer_range: is None; give the first block and the one after the last: [0, 32]",
        ],
    ),
    "modules": (
        "merge_method: linear\nmodules: {text: {models: [{model: a}]}}",
        [
            "modules: models of several modules (text and images) are not merged here; export the language model and "
            "give models or slices"
        ],
    ),
    "another method": (
        merge("arcee_fusion", *PLAIN, base=BASE),
        [
            "merge_method: 'arcee_fusion' has no counterpart here; those with one: breadcrumbs, breadcrumbs_ties, "
            "dare_linear, dare_ties, della, della_linear, karcher, linear, model_stock, nuslerp, passthrough, sce, "
            "slerp, task_arithmetic, ties"
        ],
    ),
    "another file": (
        "base_model: a\n",
        ["merge_method is missing, so this is no configuration of mergekit-yaml; give one"],
    ),
    "both": (
        merge("linear", *TWO) + "\nslices: [{sources: []}]",
        ["exactly one of models, slices and modules is needed, as in mergekit; give one of them"],
    ),
    "one model": (
        merge("linear", model("o/a", weight=1)),
        ["weight: only one model has a weight, so there is nothing to sweep; give others one"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_study_cannot_say(tmp_path: Path, name: str) -> None:
    text, lines = REFUSED[name]
    assert refused(tmp_path, text) == lines


def test_layers_that_slices_do_not_reach(tmp_path: Path) -> None:
    assert refused(tmp_path, slices((0, 24)), "--layers", "32") == [
        "slices end with block 23 of 32: a model is merged here with all its blocks; add the rest"
    ]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="is there already"):
        imported(tmp_path, merge("linear", *TWO))
    assert (tmp_path / "study.yaml").read_text(encoding="utf-8") == "mine"


def test_it_prints_without_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "merge.yml"
    file.write_text(merge("linear", *TWO), encoding="utf-8")
    import_mergekit.main([str(file)])
    assert set(yaml.safe_load(capsys.readouterr().out)) == {"models", "sweeps"}
    with pytest.raises(UserError, match="1 to 1000"):
        import_mergekit.main([str(file), "--layers", "0"])
