import os
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from lm_interpolation.commands.opening import open_study
from lm_interpolation.commands.program import in_words_of_make
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.steering import (
    OpenStudy,
    build_command,
    describe_place,
    describe_position,
    find_place,
    formula,
    is_outside,
    measured,
    model_folders,
)
from tests import built_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    built_study.declare(tmp_path)
    monkeypatch.chdir(tmp_path)
    return open_study(name="own")


# --- points from words ---


@pytest.mark.parametrize(
    ("words", "sweep", "point", "title"),
    [
        ("alpha=0.7", "theta1", "negative=0.3+positive=0.7", "alpha=0.7"),
        (" alpha = +.70 ", "theta1", "negative=0.3+positive=0.7", "alpha=0.7"),
        ("alpha=-1e-1", "theta1", "negative=1.1+positive=-0.1", "alpha=-0.1"),
        ("alpha=1", "theta1", "positive=1", "alpha=1"),
        ("beta=-3", "toward", "base=4+positive=-3", "beta=-3"),
        ("alpha=0.7,gamma=-1", "plane", "base=1.3+negative=-1+positive=0.7", "alpha=0.7, gamma=-1"),
        ("gamma=-1 alpha=0.7", "plane", "base=1.3+negative=-1+positive=0.7", "alpha=0.7, gamma=-1"),
        ("positive=1.5 negative=-0.5", None, "negative=-0.5+positive=1.5", "negative=-0.5+positive=1.5"),
        ("negative=-0.5+positive=1.5", None, "negative=-0.5+positive=1.5", "negative=-0.5+positive=1.5"),
        ("positive=1.5, negative=-.5,", None, "negative=-0.5+positive=1.5", "negative=-0.5+positive=1.5"),
        ("base=1", None, "base=1", "base=1"),
    ],
)
def test_words_name_a_point(study: OpenStudy, words: str, sweep: str | None, point: str, title: str) -> None:
    place = find_place(study, words)
    assert (place.sweep.name if place.sweep else None, place.point.id, place.title) == (sweep, point, title)
    assert place.space == "weights"


def test_the_first_sweep_is_taken_and_the_others_are_told(study: OpenStudy) -> None:
    assert find_place(study, "alpha=0.5").others == ("again",)
    place = find_place(study, "alpha=0.5", "again")
    assert (place.point.id, place.others) == ("base=0.5+positive=0.5", ())
    # The same coordinates, applied to logits.
    assert find_place(study, "beta=0.5").space == "weights"
    assert find_place(study, "beta=0.5", "ensemble").space == "logits"


def test_coefficients_and_coordinates_may_be_fractions(study: OpenStudy) -> None:
    thirds = find_place(study, "base=1/3 negative=1/3 positive=1/3")
    assert thirds.point.id == "base=0.333333+negative=0.333333+positive=0.333334"
    assert find_place(study, "alpha=-1/2", "theta1").point == find_place(study, "alpha=-0.5", "theta1").point


@pytest.mark.parametrize(
    ("words", "sweep", "message"),
    [
        ("", None, "--point is empty; write coordinates"),
        ("alpha", None, "cannot read 'alpha'; write coordinates"),
        ("alpha=1/", None, "cannot read 'alpha=1/'"),
        ("alpha=1/0", None, "1/0 is not a usable coefficient; give a number, or a fraction such as 1/6"),
        ("alpha=0.7; gamma=1", None, "cannot read 'alpha=0.7; gamma=1'"),
        ("gamma=1 alpha=nan", None, "cannot read 'alpha=nan'"),
        ("alpha=1e20", None, "1e20 is not a usable coefficient"),
        ("alpha=1e9999999999999999999", None, "cannot read"),
        ("alpha=1,alpha=2", None, "alpha is given twice"),
        (
            "delta=1",
            None,
            r"no sweep has the coordinates delta; sweeps: theta1 \(alpha from -1 to 2\); .*"
            r"ensemble \(beta from 0.5 to 0.5, logits\).*plane \(alpha from -1 to 2, gamma from -1 to 2\); "
            "or combine models: base, negative, positive$",
        ),
        ("alpha=1 positive=1", None, r"mixes coordinates \(alpha\) and models \(positive\); write the one or the o"),
        ("delta=1 positive=1", None, "no sweep has the coordinates delta, positive"),
        ("sentiment-judge=1", None, "no sweep has the coordinates sentiment-judge"),
        ("positive=1 negative=1", None, "sum to 2, not to 1"),
        ("alpha=1", "plane", r"sweep plane \(.*\) has no point 'alpha=1'; name each of its coordinates"),
        ("positive=1", "theta1", r"sweep theta1 \(alpha from -1 to 2\) has no point 'positive=1'"),
        ("alpha=1", "theta2", r"own.yaml: no sweep 'theta2'; there are: theta1 \(alpha from -1 to 2\)"),
        ("delta=1", "elsewhere", "sweep elsewhere is left out: the study declares no model 'absent-model'"),
    ],
)
def test_words_that_name_no_point_are_refused(study: OpenStudy, words: str, sweep: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        find_place(study, words, sweep)
    assert "\n" not in str(caught.value)


def test_a_name_for_both_a_model_and_a_coordinate_needs_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {
        "origin": {"base": 1},
        "directions": {"positive": {"positive": 1, "base": -1}},
        "grid": {"positive": [0, 2]},
    }
    file = built_study.declare(tmp_path, sweeps={"named": {**spec, "prompts": []}})
    monkeypatch.chdir(tmp_path)
    study = open_study([str(file)])
    with pytest.raises(UserError, match="both models and coordinates have these names; choose a sweep"):
        find_place(study, "positive=1")
    assert find_place(study, "positive=0.5", "named").point.id == "base=0.5+positive=0.5"


@pytest.mark.parametrize(
    ("coefficients", "text"),
    [
        ({"positive": "0.7", "negative": "0.3"}, "0.7 positive + 0.3 negative"),
        ({"base": 1, "positive": "0.5", "negative": "-0.5"}, "base + 0.5 positive − 0.5 negative"),
        ({"base": 2, "positive": -1}, "2 base − positive"),
        ({"base": 31, "positive": -30}, "31 base − 30 positive"),
        ({"base": 1}, "base"),
    ],
)
def test_formula(coefficients: dict, text: str) -> None:
    assert formula(Point.of(coefficients)) == text


# --- what the study has measured ---


def around(study: OpenStudy, words: str, sweep: str | None = None) -> list[tuple[float, ...]]:
    found = measured(study, find_place(study, words, sweep))
    assert found is not None and not found.here
    return [tuple(float(value) for _, value in entry.coordinates) for entry in found.entries]


def test_neighbours_enclose_the_point(study: OpenStudy) -> None:
    assert around(study, "alpha=0.7") == [(0.5,), (1,)]
    assert around(study, "alpha=1.9") == [(1,), (2,)]
    assert around(study, "alpha=3") == [(2,)]
    assert around(study, "alpha=-7") == [(-1,)]
    # 0 is a value of the anchor alone.
    assert around(study, "alpha=-0.5,gamma=-0.5") == [(-1, -1), (0, 0)]
    assert around(study, "alpha=0.5,gamma=1") == [(0, 0), (2, 2)]
    assert around(study, "alpha=5,gamma=1") == [(2, 2)]
    # None at (-1, 0): the nearest one.
    assert around(study, "alpha=-3,gamma=0") == [(-1, -1)]


def test_a_point_of_the_grid_is_known_whatever_names_it(study: OpenStudy) -> None:
    for words, sweep in (("alpha=0.5", None), ("negative=0.5+positive=0.5", None), ("alpha=1", "again")):
        found = measured(study, find_place(study, words, sweep))
        assert found is not None and found.here and found.sweep.name == "theta1", words
    # Its own sweep comes first.
    assert measured(study, find_place(study, "beta=1")).sweep.name == "toward"  # type: ignore[union-attr]
    # The same coefficients in logit space are another thing.
    assert around(study, "beta=1", "ensemble") == [(0.5,)]


def test_places_are_described(study: OpenStudy) -> None:
    def position(words: str, sweep: str | None = None) -> str:
        return describe_position(study, find_place(study, words, sweep))

    assert position("alpha=0.5") == "a point of the grid of theta1"
    assert position("positive=1") == "a point of the grid of theta1 (alpha=1)"
    assert position("alpha=0.7") == "between points of the grid of theta1"
    outside = "outside the range of theta1 (alpha from -1 to 2): it extrapolates beyond what the study measured"
    assert position("alpha=2.5") == outside
    assert position("negative=0.3 positive=0.7") == "between points of the grid of theta1 at alpha=0.7"
    assert position("negative=-1.5 positive=2.5") == outside.replace(": it", " at alpha=2.5: it")
    # Rather on a line than on the plane, which has this point, too; and rather where there are texts.
    assert position("positive=0.9 base=0.1") == "between points of the grid of toward at beta=0.9"
    assert position("alpha=0.5", "again") == "between points of the grid of toward at beta=0.5"
    assert (
        position("base=0.2 negative=0.3 positive=0.5") == "between points of the grid of plane at alpha=0.5, gamma=0.3"
    )
    assert is_outside(find_place(study, "alpha=1,gamma=2.1")) and not is_outside(find_place(study, "base=1"))
    line = describe_place(study, find_place(study, "alpha=0.7"))
    assert line == (
        "alpha=0.7 on theta1, θ₁(α): 0.7 positive + 0.3 negative (a combination of weights), "
        "between points of the grid of theta1"
    )
    assert "a combination of logits" in describe_place(study, find_place(study, "beta=0.7", "ensemble"))
    line = describe_place(study, find_place(study, "positive=1"))
    assert line == "positive (the model itself), a point of the grid of theta1 (alpha=1)"


def test_whoever_comes_by_make_is_told_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "choose with --sweep; --to 'a/..' names no directory; --prompt TEXT, or --prompts; snakemake --configfile a"
    assert in_words_of_make(text) == text
    monkeypatch.setenv("ASKED_POINT", "alpha=1")
    assert in_words_of_make(text) == (
        "choose with SWEEP=; TO= 'a/..' names no directory; PROMPT=TEXT, or --prompts; snakemake --configfile a"
    )


# --- studies and their files ---


def test_a_study_is_found_by_its_name_or_its_file(study: OpenStudy, tmp_path: Path) -> None:
    assert (study.name, study.files, study.results) == ("own", (Path("config/own.yaml"),), Path("results/own"))
    assert study.config["generation"]["precision"] == "fp32"  # a default
    assert study.sweeps["theta1"].points[0].coordinates == (("alpha", Decimal(-1)),)
    again = open_study([str(tmp_path / "config/own.yaml")], results="elsewhere/own")
    assert (again.config, again.results) == (study.config, Path("elsewhere/own"))


def test_a_study_may_be_several_files(study: OpenStudy, tmp_path: Path) -> None:
    Path("machine.yaml").write_text("generation: {seed: 6}")
    both = open_study(["config/own.yaml", "machine.yaml"])
    assert both.config["generation"] == study.config["generation"] | {"seed": 6}
    assert both.file == "config/own.yaml, machine.yaml"
    told = "snakemake --cores all --configfile config/own.yaml machine.yaml -- results/own/models/base"
    assert build_command(both, ["base"]) == told
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    inside = open_study(["../config/own.yaml", "../machine.yaml"], directory=str(tmp_path))
    assert (inside.config, inside.results) == (both.config, both.results)
    Path("machine.yaml").write_text("generation: {sead: 6}")
    with pytest.raises(UserError, match=r"^config/own.yaml, machine.yaml: unknown key 'sead' at generation"):
        open_study(["config/own.yaml", "machine.yaml"])
    with pytest.raises(UserError, match=r"^none.yaml: no such file; give a study's file with --config"):
        open_study(["config/own.yaml", "none.yaml"])


def test_studies_that_cannot_be_found_are_refused(study: OpenStudy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^config/config.yaml: no such file; .*own \(config/own.yaml\)"):
        open_study()
    with pytest.raises(UserError, match=r"^no study 'demo' in config/\*.yaml; there are: own \(config/own.yaml\)$"):
        open_study(name="demo")
    shutil.copy("config/own.yaml", "config/zoo.yaml")
    with pytest.raises(
        UserError, match=r"'own' is declared in config/own.yaml and config/zoo.yaml; choose one with --c"
    ):
        open_study(name="own")
    Path("config/zoo.yaml").write_text("study: [")
    assert open_study(name="own").file == study.file
    with pytest.raises(UserError, match=r"there are: own \(config/own.yaml\); config/zoo.yaml: not a YAML file"):
        open_study(name="zoo")
    os.chdir(shutil.move(tmp_path / "config", tmp_path / "empty"))
    with pytest.raises(UserError, match=r"there are: none in .*empty/config$"):
        open_study(name="own")


def test_a_config_that_does_not_hold_is_named_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = built_study.declare(tmp_path, generatoin={})
    with pytest.raises(UserError, match=rf"^{file}: unknown key 'generatoin' at the top level; did you mean"):
        open_study([str(file)])
    file.write_text("- a list")
    with pytest.raises(UserError, match=rf"^{file}: is not a mapping"):
        open_study([str(file)])


def test_models_that_are_not_built_are_told_with_the_command(study: OpenStudy) -> None:
    folder = Path("results/own/models/positive")
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    assert model_folders(study, ["positive", "positive"]) == {"positive": folder}
    with pytest.raises(UserError) as caught:
        model_folders(study, ["base", "positive", "negative"])
    assert str(caught.value) == (
        "no model in results/own/models/base (nor negative); build with: snakemake --cores all --configfile "
        "config/own.yaml -- results/own/models/base results/own/models/negative"
    )


# --- points under a method ---


@pytest.fixture
def merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    sweeps = built_study.CONFIG["sweeps"] | {"trimmed": built_study.TRIMMED}
    built_study.declare(tmp_path, methods=built_study.METHODS, sweeps=sweeps)
    monkeypatch.chdir(tmp_path)
    return open_study(name="own")


@pytest.mark.parametrize(
    ("words", "point"),
    [
        ("ties density=0.2 positive=0.5 negative=0.5", "ties~density=0.2@negative=0.5+positive=0.5"),
        # The base takes the rest.
        ("ties density=0.2, positive=1, negative=1", "ties~density=0.2@base=-1+negative=1+positive=1"),
        ("ties positive=1/2 density=0.20", "ties~density=0.2@base=0.5+positive=0.5"),
        ("ties~density=0.2@negative=0.5+positive=0.5", "ties~density=0.2@negative=0.5+positive=0.5"),
        ("half positive=1", "half@positive=1"),
        ("half base=1", "base=1"),
    ],
)
def test_the_name_of_a_method_stands_before_models(merging: OpenStudy, words: str, point: str) -> None:
    place = find_place(merging, words)
    assert (place.point.id, place.space, place.sweep) == (point, "weights", None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("tiez positive=1", "no method 'tiez'; the study declares: ties, half"),
        ("ties positive=1", "has the settings density to choose, but none are given"),
        ("half density=0.2 positive=1", "density is no model; under method half give models: base"),
        ("ties density=2 positive=1", "density=2.0 is no value of the method's keep.density"),
        ("ties density=0.2 positive=1 base=1", "sum to 2, not to 1"),
        ("ties", "--point is empty"),
    ],
)
def test_mistakes_in_a_point_under_a_method(merging: OpenStudy, words: str, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        find_place(merging, words)


def test_coordinates_choose_a_point_of_a_sweep_under_a_method(merging: OpenStudy) -> None:
    place = find_place(merging, "weight=0.3,density=0.4")
    assert place.point.id == "ties~density=0.4@base=0.4+negative=0.3+positive=0.3"
    assert formula(place.point) == "0.4 base + 0.3 negative + 0.3 positive, under ties with density 0.4"
    assert describe_position(merging, place) == "between points of the grid of trimmed"
    # In other words it is the same place.
    same = find_place(merging, "ties density=0.4 positive=0.3 negative=0.3")
    assert describe_position(merging, same) == "between points of the grid of trimmed at weight=0.3, density=0.4"
    found = measured(merging, same)
    assert found is not None and found.sweep.name == "trimmed" and len(found.entries) == 4
    # Without the method it lies on no such sweep.
    affine = find_place(merging, "base=0.4 negative=0.3 positive=0.3")
    assert "trimmed" not in describe_position(merging, affine)


def test_a_point_under_a_method_needs_its_base(merging: OpenStudy) -> None:
    point = find_place(merging, "half positive=1").point
    assert merging.models(point) == ("base", "positive") and point.single is None
    assert describe_place(merging, find_place(merging, "half positive=1")).startswith(
        "positive, under half (a combination of weights)"
    )
