import json
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import (
    DIGITS,
    MODEL_NAME,
    POINT_ID,
    Coefficient,
    Point,
    Sweep,
    assign_lines,
    build_sweep,
    decimal,
    direction_of,
    format_decimal,
    grid_values,
    sweep_from_settings,
    sweep_settings,
)

# Directions of the paper's sweeps, over models named as in the paper.
ALPHA_1 = {"positive": 1, "negative": -1}
FROM_BASE = {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}}
PAPER_RANGE = {"start": -4, "stop": 4, "count": 20}


def sweep_of(origin: Mapping[str, Any], directions: Mapping[str, Any], name: str = "mine", **grid: Any) -> Sweep:
    spec = {"origin": origin, "directions": directions, "grid": grid, "space": "weights", "prompts": ["neutral"]}
    return build_sweep(name, spec)


def theta1(*alpha: float, name: str = "theta1") -> Sweep:
    return sweep_of({"negative": 1}, {"alpha": ALPHA_1}, name, alpha=list(alpha))


def theta2(*gamma: float, name: str = "theta2") -> Sweep:
    return sweep_of({"base": 1}, {"gamma": ALPHA_1}, name, gamma=list(gamma))


def theta3(alpha: Any, beta: Any, name: str = "theta3") -> Sweep:
    return sweep_of({"base": 1}, FROM_BASE, name, alpha=alpha, beta=beta)


def ids(sweep: Sweep) -> list[str]:
    return [entry.point.id for entry in sweep.points]


# --- coefficients ---


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.1, "0.1"),
        (-0.0, "0"),
        ("-0.000", "0"),
        (-1e-9, "0"),
        (1e-6, "0.000001"),
        (2.50, "2.5"),
        (-4, "-4"),
        (100, "100"),
        (1e15, "1000000000000000"),
        (8 / 19, "0.421053"),
        # Half to even, on the decimal digits.
        ("0.0000005", "0"),
        ("0.0000015", "0.000002"),
        ("1/6", "0.166667"),
        ("-2/4", "-0.5"),
        (Fraction(2, 3), "0.666667"),
    ],
)
def test_decimals_have_one_form(value: Coefficient, text: str) -> None:
    assert format_decimal(decimal(value)) == text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "-Infinity", "1/0", "1/a", "1e3/2", "/", Fraction(10**16)]
)
def test_decimals_are_finite(value: Coefficient) -> None:
    with pytest.raises(UserError, match="not a usable coefficient"):
        decimal(value)


# --- points ---


def test_a_point_has_one_id() -> None:
    point = Point.of({"positive": 0.75, "base": 0, "negative": 0.25})
    assert point.id == "negative=0.25+positive=0.75"
    assert point.models == ("negative", "positive")
    same = Point.of({"negative": "0.250", "positive": Decimal("0.7500"), "other": -0.0})
    assert same == point and hash(same) == hash(point)


@pytest.mark.parametrize(
    "coefficients",
    [
        {"a": 1},
        {"b": 0.1 + 0.2, "a": 0.7},
        {"distilgpt2-v1.0": -3.5, "x_y": 4.5},
        {"a": 1e-6, "b": 1 - 1e-6},
        {"base": 9, "positive": -4, "negative": -4},
    ],
)
def test_parse_undoes_id(coefficients: dict[str, float]) -> None:
    point = Point.of(coefficients)
    assert Point.parse(point.id) == point
    assert re.fullmatch(POINT_ID, point.id)
    assert "e" not in re.sub(MODEL_NAME + "=", "", point.id).lower()


@pytest.mark.parametrize(
    ("identifier", "canonical"),
    [
        ("positive=0.5+negative=0.5", "negative=0.5+positive=0.5"),
        ("a=1.0", "a=1"),
        ("a=1+b=0", "a=1"),
        ("a=-0+b=1", "b=1"),
        ("a=0.1234567+b=0.8765433", "a=0.123457+b=0.876543"),
    ],
)
def test_parse_refuses_a_second_name(identifier: str, canonical: str) -> None:
    with pytest.raises(UserError, match=f"not in canonical form; did you mean '{re.escape(canonical)}'"):
        Point.parse(identifier)


@pytest.mark.parametrize("identifier", ["", "a", "a=", "a=1,", "=1", "a=1e0", "a=+1", "a=.5,b=.5", "a=1 ", "1a=1"])
def test_parse_refuses_what_is_no_id(identifier: str) -> None:
    with pytest.raises(UserError, match="is not a point"):
        Point.parse(identifier)


def test_coefficients_must_sum_to_1() -> None:
    with pytest.raises(UserError, match=re.escape("coefficients {positive: 0.5, negative: 0.4} sum to 0.9, not to 1")):
        Point.of({"positive": 0.5, "negative": 0.4})
    with pytest.raises(UserError, match="sum to 0, not to 1"):
        Point.of({})


@pytest.mark.parametrize("share", ["1/6", 0.166667, Fraction(1, 6)])
def test_a_sum_close_to_1_is_closed(share: Coefficient) -> None:
    point = Point.of(dict.fromkeys("abcdef", share))
    assert sum(value for _, value in point.coefficients) == 1
    # Six times 0.166667 is 1.000002; of equal coefficients that of the last name absorbs it.
    assert point.id == "a=0.166667+b=0.166667+c=0.166667+d=0.166667+e=0.166667+f=0.166665"
    assert Point.parse(point.id) == point


def test_only_a_small_difference_is_closed() -> None:
    assert Point.of({"a": 0.75, "b": 0.24999}).id == "a=0.75001+b=0.24999"
    with pytest.raises(UserError, match=r"sum to 0\.999989, not to 1"):
        Point.of({"a": 0.75, "b": 0.249989})
    with pytest.raises(UserError, match=r"is not in canonical form; did you mean 'a=0\.75001\+b=0\.24999'"):
        Point.parse("a=0.75+b=0.24999")


# --- the paper's equations ---


def test_theta1_is_alpha_positive_and_the_rest_negative() -> None:
    assert ids(theta1(-1, 0, 0.25, 1, 3)) == [
        "negative=2+positive=-1",
        "negative=1",
        "negative=0.75+positive=0.25",
        "positive=1",
        "negative=-2+positive=3",
    ]


def test_theta2_adds_the_difference_to_base() -> None:
    assert ids(theta2(-0.5, 0, 1)) == [
        "base=1+negative=0.5+positive=-0.5",
        "base=1",
        "base=1+negative=-1+positive=1",
    ]


def test_theta3_spans_a_plane_over_base() -> None:
    sweep = theta3([0, 1], [-1, 0, 1])
    assert [(dict(entry.coordinates), entry.point.id) for entry in sweep.points] == [
        ({"alpha": 0, "beta": -1}, "base=2+negative=-1"),
        ({"alpha": 1, "beta": -1}, "base=1+negative=-1+positive=1"),
        ({"alpha": 0, "beta": 0}, "base=1"),
        ({"alpha": 1, "beta": 0}, "positive=1"),
        ({"alpha": 0, "beta": 1}, "negative=1"),
        ({"alpha": 1, "beta": 1}, "base=-1+negative=1+positive=1"),
    ]
    assert sweep.models == ("base", "negative", "positive")
    assert sweep.coordinates == ("alpha", "beta")


def test_sweeps_meet_in_the_same_points() -> None:
    positive, negative, base = (Point.of({name: 1}) for name in ("positive", "negative", "base"))
    one, two, three = theta1(0, 1), theta2(0, 0.5), theta3([0, 0.5, 1], [-0.5, 0, 1])

    def at(sweep: Sweep, **coordinates: float) -> Point:
        wanted = tuple((name, decimal(value)) for name, value in coordinates.items())
        (found,) = (entry.point for entry in sweep.points if entry.coordinates == wanted)
        return found

    assert at(one, alpha=1) == at(three, alpha=1, beta=0) == positive
    assert at(one, alpha=0) == at(three, alpha=0, beta=1) == negative
    assert at(two, gamma=0) == at(three, alpha=0, beta=0) == base
    # Eq. 3 is the diagonal of Eq. 4: theta2(gamma) = theta3(gamma, -gamma).
    assert at(two, gamma=0.5) == at(three, alpha=0.5, beta=-0.5)


# --- grids ---


def test_a_range_of_the_paper_stays_affine() -> None:
    values = grid_values(PAPER_RANGE)
    assert values[:3] == (Decimal(-4), Decimal("-3.578947"), Decimal("-3.157895"))
    assert len(values) == 20 and values[-1] == 4
    for index, value in enumerate(values):
        exact = Fraction(-4) + Fraction(8, 19) * index
        assert abs(Fraction(value) - exact) <= Fraction(1, 2 * 10**DIGITS)

    for entry in theta3(PAPER_RANGE, PAPER_RANGE).points:
        assert sum(value for _, value in entry.point.coefficients) == 1
        coordinates, coefficients = dict(entry.coordinates), dict(entry.point.coefficients)
        assert coefficients["positive"] == coordinates["alpha"] and coefficients["negative"] == coordinates["beta"]


def test_rounding_goes_to_the_largest_coefficient() -> None:
    # 0.333333 x 0.5 has seven decimals: 0.1666665, to even 0.166666, three times; 0.5 + 3 x 0.166666 = 0.999998.
    direction = {"a": -0.999999, "b": 0.333333, "c": 0.333333, "d": 0.333333}
    (entry,) = sweep_of({"a": 1}, {"x": direction}, x=[0.5]).points
    assert entry.point.id == "a=0.500002+b=0.166666+c=0.166666+d=0.166666"


def test_a_list_is_sorted_and_takes_floats_as_written() -> None:
    assert grid_values([1, 0.1 + 0.2, -0.0, "-0.5"]) == (Decimal("-0.5"), 0, Decimal("0.3"), 1)


@pytest.mark.parametrize(
    ("grid", "shown"),
    [([0, 1, 0], "0"), ([0.0, -0.0], "0"), ([0.3, 0.1 + 0.2], "0.3"), ({"start": 2, "stop": 2, "count": 3}, "2")],
)
def test_a_value_is_listed_once(grid: Any, shown: str) -> None:
    with pytest.raises(UserError, match=rf"^sweeps\.mine\.grid\.alpha: {shown} is listed twice; remove one$"):
        sweep_of({"negative": 1}, {"alpha": ALPHA_1}, alpha=grid)


def test_a_range_has_two_values() -> None:
    with pytest.raises(UserError, match="count is 1"):
        grid_values({"start": 0, "stop": 1, "count": 1})


def test_an_origin_must_sum_to_1() -> None:
    with pytest.raises(UserError, match=r"^sweeps\.mine\.origin: coefficients .* sum to 1\.5, not to 1"):
        sweep_of({"positive": 1, "base": 0.5}, {"alpha": ALPHA_1}, alpha=[0, 1])


def test_a_direction_must_sum_to_0() -> None:
    with pytest.raises(UserError, match=r"^sweeps\.mine\.directions\.alpha: coefficients .* sum to 0\.5, not to 0"):
        sweep_of({"base": 1}, {"alpha": {"positive": 1, "negative": -0.5}}, alpha=[0, 1])


def test_a_direction_of_fractions_is_closed() -> None:
    away = {"positive": "1/3", "negative": "1/3", "other": "1/3", "base": -1}
    sweep = sweep_of({"base": 1}, {"alpha": away}, alpha=[0, 3])
    assert direction_of(away)["base"] == Decimal("-0.999999")
    assert [entry.point.id for entry in sweep.points] == [
        "base=1",
        "base=-1.999997+negative=0.999999+other=0.999999+positive=0.999999",
    ]
    with pytest.raises(
        UserError, match=r"^sweeps\.mine\.directions\.alpha: coefficients .* sum to 0\.000011, not to 0"
    ):
        sweep_of({"base": 1}, {"alpha": {"positive": 1, "base": -0.999989}}, alpha=[0, 1])


@pytest.mark.parametrize("grid", [{}, {"beta": [0]}, {"alpha": [0], "beta": [0]}])
def test_grid_and_directions_must_match(grid: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"^sweeps\.mine\.grid: has .*, but the directions are \['alpha'\]"):
        sweep_of({"base": 1}, {"alpha": ALPHA_1}, **grid)


# --- anchors ---


def plane_spec(*anchors: dict[str, float], **more: Any) -> dict[str, Any]:
    spec = {"origin": {"base": 1}, "directions": FROM_BASE, "space": "weights", "prompts": ["neutral"]}
    return spec | {"grid": {"alpha": [-0.5, 0.5], "beta": [-0.5, 0.5]}, "anchors": list(anchors)} | more


def test_anchors_are_points_beside_the_grid() -> None:
    sweep = build_sweep(
        "plane", plane_spec({"alpha": 1, "beta": 0}, {"beta": 0, "alpha": 0}, {"alpha": 0, "beta": 0.5})
    )
    # In the order of the grid: by the last coordinate, then by the first.
    assert [(format_decimal(b), format_decimal(a)) for (_, a), (_, b) in (e.coordinates for e in sweep.points)] == [
        ("-0.5", "-0.5"),
        ("-0.5", "0.5"),
        ("0", "0"),
        ("0", "1"),
        ("0.5", "-0.5"),
        ("0.5", "0"),
        ("0.5", "0.5"),
    ]
    assert ids(sweep)[2:4] == ["base=1", "positive=1"]
    # One on a line of the grid is scored with it; the others make a line.
    lines = {line.id: [point.id for point in line.points] for line in assign_lines([sweep])}
    assert list(lines) == ["plane+beta=-0.5", "plane+beta=0", "plane+beta=0.5"]
    assert lines["plane+beta=0"] == ["base=1", "positive=1"]
    assert lines["plane+beta=0.5"][1] == "base=0.5+negative=0.5"


def test_anchors_on_the_grid_or_said_twice_add_nothing() -> None:
    anchors = [{"alpha": 0.5, "beta": -0.5}, {"alpha": 0.2, "beta": 0}, {"alpha": 0.1 + 0.1, "beta": -0.0}]
    grid = build_sweep("plane", plane_spec()).points
    assert build_sweep("plane", plane_spec(anchors[0])).points == grid
    assert len(build_sweep("plane", plane_spec(*anchors)).points) == len(grid) + 1
    assert build_sweep("plane", {key: value for key, value in plane_spec().items() if key != "anchors"}).points == grid


def test_anchors_of_the_paper_are_its_models() -> None:
    anchors = [{"alpha": 0, "beta": 0}, {"alpha": 1, "beta": 0}, {"alpha": 0, "beta": 1}]
    spec = plane_spec(*anchors, grid={"alpha": PAPER_RANGE, "beta": PAPER_RANGE})
    sweep = build_sweep("plane", spec)
    assert len(sweep.points) == 403
    assert {"base=1", "positive=1", "negative=1"} <= set(ids(sweep))
    assert len(assign_lines([sweep])) == 22


@pytest.mark.parametrize("anchor", [{"alpha": 0}, {"alpha": 0, "beta": 0, "gamma": 0}, {"alpha": 0, "gamma": 0}])
def test_an_anchor_has_all_coordinates_and_no_other(anchor: dict[str, float]) -> None:
    words = r"^sweeps\.plane\.anchors\.1: has \[.*\], but the directions are \['alpha', 'beta'\]; name the same$"
    with pytest.raises(UserError, match=words):
        build_sweep("plane", plane_spec({"alpha": 0, "beta": 0}, anchor))


def test_an_anchor_is_a_number() -> None:
    with pytest.raises(UserError, match=r"^sweeps\.plane\.anchors\.0: .*not a usable coefficient"):
        build_sweep("plane", plane_spec({"alpha": 1e20, "beta": 0}))


# --- sweeps as parameters of jobs ---


def test_a_sweep_travels_in_the_settings_of_a_job() -> None:
    # The declared order of coordinates is not that of the alphabet, by which settings are sorted.
    directions = {"beta": FROM_BASE["beta"], "alpha": FROM_BASE["alpha"]}
    spec = plane_spec({"alpha": 1, "beta": 0}, directions=directions, scorers=["sentiment"])
    sweep = build_sweep("plane", spec)
    assert sweep.coordinates == ("beta", "alpha") and sweep.scorers == ("sentiment",)
    settings = json.loads(json.dumps(sweep_settings(sweep, spec), sort_keys=True))
    assert list(settings["spec"]["directions"]) == ["alpha", "beta"]
    assert settings["coordinates"] == ["beta", "alpha"]
    assert sweep_from_settings(settings) == sweep


def test_a_sweep_without_scorers_is_scored_by_all() -> None:
    assert theta1(0, 1).scorers is None


# --- lines ---


def test_a_line_per_sweep_and_per_second_coordinate() -> None:
    (line,) = assign_lines([theta1(0, 0.5, 1)])
    assert (line.id, line.space, line.prompts) == ("theta1", "weights", "neutral")
    assert [point.id for point in line.points] == ["negative=1", "negative=0.5+positive=0.5", "positive=1"]

    plane = assign_lines([theta3([0, 1, 2], [-0.5, 0])])
    assert [line.id for line in plane] == ["theta3+beta=-0.5", "theta3+beta=0"]
    assert [point.id for point in plane[1].points] == ["base=1", "positive=1", "base=-1+positive=2"]
    assert len(assign_lines([theta3(PAPER_RANGE, PAPER_RANGE)])) == 20


def keys(sweeps: list[Sweep]) -> list[tuple[str, str, Point]]:
    return [(line.space, line.prompts, point) for line in assign_lines(sweeps) for point in line.points]


def test_every_point_is_in_exactly_one_line() -> None:
    plane = theta3([0, 0.5, 1], [-0.5, 0, 1])
    collinear = sweep_of({"a": 1}, {"x": {"b": 1, "a": -1}, "y": {"b": 2, "a": -2}}, x=[0, 2, 4], y=[0, 1, 2])
    sweeps = [theta1(-1, 0, 1), theta2(0, 0.5), plane, collinear]
    wanted = {("weights", "neutral", entry.point) for sweep in sweeps for entry in sweep.points}
    assert len(wanted) == 3 + 2 + (9 - 4) + 5
    assert len(keys(sweeps)) == len(wanted)
    assert set(keys(sweeps)) == wanted


def test_a_shared_point_belongs_to_the_first_sweep() -> None:
    lines = {line.id: [point.id for point in line.points] for line in assign_lines([theta1(0, 1), theta3([0, 1], [0])])}
    assert lines == {"theta1": ["negative=1", "positive=1"], "theta3+beta=0": ["base=1"]}
    lines = {line.id: [point.id for point in line.points] for line in assign_lines([theta3([0, 1], [0]), theta1(0, 1)])}
    assert lines == {"theta3+beta=0": ["base=1", "positive=1"], "theta1": ["negative=1"]}


def test_a_sweep_that_others_cover_has_no_line() -> None:
    assert [line.id for line in assign_lines([theta1(0, 0.5, 1), theta1(0, 1, name="ends")])] == ["theta1"]


def test_prompt_sets_and_spaces_are_scored_apart() -> None:
    spec = {"origin": {"negative": 1}, "directions": {"alpha": ALPHA_1}, "grid": {"alpha": [0, 1]}}
    both = build_sweep("both", spec | {"space": "weights", "prompts": ["neutral", "negative"]})
    ensemble = build_sweep("ensemble", spec | {"space": "logits", "prompts": ["neutral"]})
    lines = assign_lines([both, ensemble])
    assert [(line.id, line.space, line.prompts) for line in lines] == [
        ("both", "weights", "neutral"),
        ("both", "weights", "negative"),
        ("ensemble", "logits", "neutral"),
    ]
    assert all(len(line.points) == 2 for line in lines)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ([theta1(0, 1), theta2(0, 1)], [theta1(0, 0.3, 1), theta2(0, 1)], {"theta1"}),
        ([theta1(0, 1), theta2(0, 1)], [theta1(0, 1), theta2(0, 1, 2)], {"theta2"}),
        (
            [theta1(0, 1), theta3([0, 1], [0, 1])],
            [theta1(0, 1), theta3([0, 1, 2], [0, 1])],
            {"theta3+beta=0", "theta3+beta=1"},
        ),
        ([theta1(0, 1), theta3([0, 1], [0, 1])], [theta1(0, 1), theta3([0, 1], [0, 1, 2])], {"theta3+beta=2"}),
    ],
)
def test_a_new_value_changes_lines_of_its_sweep_only(
    before: list[Sweep], after: list[Sweep], changed: set[str]
) -> None:
    old = {line.id: line for line in assign_lines(before)}
    new = {line.id: line for line in assign_lines(after)}
    assert {name for name in new if new[name] != old.get(name)} == changed
    assert old.keys() <= new.keys()
