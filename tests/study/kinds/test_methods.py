"""Methods as a study declares them: what they become, and what is wrong with them."""

from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import declare
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import COMBINES, KEEPS
from lm_interpolation.study.kinds.methods.method import MethodSpec
from lm_interpolation.study.study import Study
from tests.study.test_config import full_config

TIES = {"base": "base", "keep": {"by": "magnitude", "density": "density"}, "elect": "sum", "combine": "mean"}
PLANE = {
    "method": "ties",
    "origin": {"base": 1},
    "directions": {"gamma": {"positive": 0.5, "negative": 0.5, "base": -1}},
    "grid": {"gamma": [0, 1, 2], "density": [0.05, 1]},
    "prompts": ["neutral"],
}
EVERY_KEEP = {
    "magnitude": {"density": 0.2},
    "chance": {"density": 0.5},
    "rank": {"density": 0.5},
    "band": {"density": 0.5},
    "variance": {"density": 0.5},
    "mask": {"file": "masks.safetensors"},
    "tensors": {"share": 0.5},
    "intruders": {"factor": 0.75},
}
NEEDED = {"fisher": {"statistic": "information"}, "regmean": {"statistic": "inputs"}}
"""What combinations cannot do without."""


def config_of(how: dict[str, Any] = TIES, /, **changes: Any) -> dict[str, Any]:
    config = full_config()
    config["methods"] = {"ties": how}
    config["sweeps"]["merged"] = PLANE | changes
    return config


def ids(config: dict[str, Any], sweep: str = "merged") -> list[str]:
    return [entry.point.id for entry in declare(config).config.sweep(sweep).points]


def stages(method: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    recipe = MethodSpec.model_validate(method).built("m").recipe
    return [(stage["module"], stage["settings"]) for stage in recipe["stages"]]


# --- what they become ---


def test_stages_come_in_their_order_whatever_the_order_of_the_file() -> None:
    method = {
        "rescale": {"layers": ["first", 1]},
        "combine": {"by": "karcher", "iterations": 3},
        "keep": {"by": "chance", "density": "density", "seed": 7},
        "scale": [{"tensors": "**.mlp.**", "factor": "first"}],
        "base": "base",
    }
    first = {"coordinate": "first"}
    assert stages(method) == [
        ("scale", {"rules": [{"tensors": "**.mlp.**", "factor": first}]}),
        ("chance", {"density": {"coordinate": "density"}, "rescale": "inverse", "seed": 7}),
        ("karcher", {"iterations": 3, "tolerance": 1e-5}),
        ("rescale", {"layers": [first, 1], "other": first, "balanced": None}),
    ]
    built = MethodSpec.model_validate(method).built("m")
    assert (built.coordinates, built.convex, built.base) == (("density", "first"), True, "base")


def test_every_kind_has_a_module_with_its_settings() -> None:
    assert {tag(kind, "by") for kind in KEEPS} == EVERY_KEEP.keys()
    for name, keys in EVERY_KEEP.items():
        ((module, _),) = stages({"base": "zero", "keep": {"by": name, **keys}})
        assert module == name
    for kind in COMBINES:
        name = tag(kind, "by")
        ((module, _),) = stages({"combine": {"by": name, **NEEDED.get(name, {})}})
        assert module == name
        if name not in NEEDED:
            assert stages({"combine": name}) == stages({"combine": {"by": name}})


def test_points_are_called_after_the_method_and_what_the_sweep_varies() -> None:
    both = "negative=0.5+positive=0.5"
    assert ids(config_of()) == [
        "base=1",
        f"ties~density=0.05@{both}",
        "ties~density=0.05@base=-1+negative=1+positive=1",
        "base=1",
        f"ties~density=1@{both}",
        "ties~density=1@base=-1+negative=1+positive=1",
    ]


def test_a_sweep_may_vary_settings_alone() -> None:
    sparse = {"base": "zero", "keep": {"by": "magnitude", "density": "density"}}
    changes = {"origin": {"positive": 1}, "directions": {}, "grid": {"density": [0.5, 1]}}
    assert ids(config_of(sparse, **changes)) == ["ties~density=0.5@positive=1", "ties~density=1@positive=1"]


def test_the_job_of_a_point_has_its_models_its_base_and_its_method() -> None:
    study = Study(config_of())
    point = "ties~density=1@negative=0.5+positive=0.5"
    assert [path.rsplit("/", 1)[1] for path in study.merge_inputs(point)] == ["base", "negative", "positive"]
    assert study.method_settings(point)["recipe"]["stages"][0]["settings"]["density"] == {"coordinate": "density"}
    assert study.sweeps["merged"].models == ("base", "negative", "positive")
    # An affine point is made as ever.
    assert [path.rsplit("/", 1)[1] for path in study.merge_inputs("positive=1")] == ["positive"]
    assert "method" not in study.points_settings("theta1")


def test_the_code_of_other_stages_is_none_of_a_methods_settings() -> None:
    code = MethodSpec.model_validate(TIES).built("ties").recipe["code"]
    modules = {name.rsplit(".", 1)[1] for name in code}
    assert {"magnitude", "elect", "mean", "spaces"} <= modules and not {"slerp", "chance", "rank"} & modules


def test_without_the_model_of_its_base_a_method_is_left_out() -> None:
    config = config_of()
    config["methods"]["other"] = TIES | {"base": "elsewhere"}
    config["sweeps"]["gone"] = PLANE | {"method": "other"}
    declared = declare(config)
    assert declared.left_out["methods.other"] == "the study declares no model 'elsewhere'"
    assert "gone" not in declared.config.sweeps and "merged" in declared.config.sweeps


# --- what is wrong with them ---


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (
            {"base": "zero", "keep": {"by": "intruders", "factor": 0.5}},
            "methods.ties.base: is zero, with which nothing can be compared; name a model",
        ),
        (
            {"base": "base", "keep": {"by": "intruders", "factor": 0.5, "epsilon": 1.5}},
            "methods.ties.keep.epsilon is 1.5; give at most 1",
        ),
        (TIES | {"keep": {"by": "magnitude", "density": 2}}, "methods.ties.keep.density is 2; give at most 1"),
        (
            TIES | {"keep": {"by": "magnitude", "density": 0.5, "seed": 1}},
            "methods.ties.keep.seed: magnitude has no use",
        ),
        (
            TIES | {"keep": {"by": "magnitud", "density": 0.5}},
            'methods.ties.keep.by is "magnitud"; choose one of magnit',
        ),
        (TIES | {"combine": "slurp"}, 'methods.ties.combine is "slurp"; choose one of sum, mean, slerp'),
        ({"keep": {"by": "chance", "density": 0.5}}, "methods.ties.base: missing"),
        ({"base": "base"}, "methods.ties: has no stage"),
        ({"base": "base", "elect": "sum", "combine": "stock"}, "methods.ties.elect: has no use before combine: stock"),
        (
            {"base": "base", "keep": {"by": "band", "density": 0.9, "drop_top": 0.2}},
            "drop_top: 0.2 and density 0.9",
        ),
        ({"base": "base", "keep": {"by": "rank", "density": 0.9}}, "keep.epsilon: 0.15 makes probabilities outside"),
        ({"base": "base", "keep": {"by": "chance", "density": "point"}}, "'point' is a column of the tables"),
        ({"base": "base", "rescale": {"balanced": 1, "other": 1}}, "methods.ties.rescale"),
    ],
)
def test_mistakes_in_a_method(method: dict[str, Any], words: str) -> None:
    config = config_of(method, grid={"gamma": [0, 1]})
    with pytest.raises(UserError) as caught:
        declare(config)
    assert any(words in line for line in caught.value.lines()), caught.value.lines()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grid": {"gamma": [0, 1]}}, "the settings of method ties to vary are ['density']; name the same"),
        ({"grid": {"gamma": [0], "density": [0.1, 3]}}, "grid.density: 3.0 is no value of the method's keep.density"),
        ({"grid": {"gamma": [0], "density": [1], "other": [1]}}, "has ['density', 'gamma', 'other']"),
        ({"space": "logits"}, "'ties' is one of weights, but the sweep is in the space of logits; remove one"),
        ({"method": "tise"}, "method 'tise' is not declared; did you mean 'ties'?"),
    ],
)
def test_mistakes_in_a_sweep_under_a_method(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        declare(config_of(**changes))
    assert any(words in line for line in caught.value.lines()), caught.value.lines()


def test_an_arc_has_two_ends_and_no_negative_weights() -> None:
    slerp = {"combine": "slerp"}
    line = {"origin": {"negative": 1}, "directions": {"t": {"positive": 1, "negative": -1}}}
    assert ids(config_of(slerp, **line, grid={"t": [0.5]})) == ["ties@negative=0.5+positive=0.5"]
    for changes, words in (
        (line | {"grid": {"t": [2]}}, "its combination takes no coefficient below 0"),
        ({"origin": {"base": 1}, "directions": {"t": {"positive": 1, "base": -1}}, "grid": {"t": [0.5]}}, ""),
    ):
        config = config_of(slerp, **changes)
        if not words:
            assert ids(config) == ["ties@base=0.5+positive=0.5"]
            continue
        with pytest.raises(UserError, match=words):
            declare(config)
    three = {"origin": {"base": 1}, "directions": {"t": {"positive": 0.5, "negative": 0.5, "base": -1}}}
    with pytest.raises(UserError, match=r"combines 2 models besides its base, but .* base, negative, positive"):
        declare(config_of(slerp, **three, grid={"t": [0.5]}))
