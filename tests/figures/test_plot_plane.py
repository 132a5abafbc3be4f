"""Heat maps: which points are cells, what colours they have, and that labels can be read."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba

from lm_interpolation.figures.colours import CENTRED, PLAIN
from lm_interpolation.figures.plane_data import select_points
from lm_interpolation.figures.plot_plane import PlanePanel, plot_plane
from lm_interpolation.figures.style import save_figure
from lm_interpolation.jobs.runtime import UserError

COORDINATES = ("alpha", "beta")
ANCHORS = [(0, 0), (1, 0), (0, 1)]
MARKERS = [{"label": label, "at": dict(zip(COORDINATES, at, strict=True))} for label, at in zip(("θ⁰", "θ⁺", "θ⁻"), ANCHORS, strict=True)]  # noqa: E501  # fmt: skip
LINES = [
    {"label": "α + β = 1", "coefficients": {"alpha": 1, "beta": 1}, "value": 1},
    {"label": "β = −α", "coefficients": {"alpha": 1, "beta": 1}, "value": 0},
]


def plane(x=(-2, 0.5, 2), y=(-1, 0.5, 3), extra=(), value=lambda x, y: 10 + 3 * x + y, width=None) -> pd.DataFrame:
    points = [(a, b) for b in y for a in x] + list(extra)
    data = pd.DataFrame([{"alpha": a, "beta": b, "estimate": float(value(a, b))} for a, b in points])
    return data.assign(
        low=np.nan if width is None else data["estimate"] - width / 2,
        high=np.nan if width is None else data["estimate"] + width / 2,
    )


def explode(x, y) -> float:
    return 5 + 10 ** (6 * ((x + y - 1) / 9) ** 2)


def draw(*panels, **changes):
    return plot_plane(panels, COORDINATES, **changes)


def mesh(axes) -> QuadMesh:
    (found,) = [artist for artist in axes.collections if isinstance(artist, QuadMesh)]
    return found


def discs(axes):
    (found,) = [artist for artist in axes.collections if not isinstance(artist, QuadMesh)]
    return found


def bar(axes):
    (found,) = axes.child_axes
    return found


def test_cells_lie_around_grid_points():
    figure = draw(PlanePanel(plane(), "value"))
    (axes,) = figure.axes
    edges = mesh(axes).get_coordinates()
    np.testing.assert_allclose(edges[0, :, 0], [-3.25, -0.75, 1.25, 2.75])
    np.testing.assert_allclose(edges[:, 0, 1], [-1.75, -0.25, 1.75, 4.25])
    np.testing.assert_allclose(mesh(axes).get_array(), [[3, 10.5, 15], [4.5, 12, 16.5], [7, 14.5, 19]])
    assert axes.get_xlim() == (-3.25, 2.75) and axes.get_ylim() == (-1.75, 4.25)
    assert axes.get_aspect() == 1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("alpha", "beta")
    assert bar(axes).get_ylabel() == "value"


def test_the_order_of_rows_does_not_count():
    shuffled = plane(extra=ANCHORS).sample(frac=1, random_state=3)
    one, two = (draw(PlanePanel(data, "value")).axes[0] for data in (plane(extra=ANCHORS), shuffled))
    np.testing.assert_array_equal(mesh(one).get_array(), mesh(two).get_array())
    assert {tuple(at) for at in discs(one).get_offsets()} == {tuple(at) for at in discs(two).get_offsets()}


@pytest.mark.parametrize(
    ("x", "anchors"),
    [
        (np.linspace(-4, 4, 20).round(6), ANCHORS),  # the paper's plane
        ((-4, 4), ANCHORS),
        ((-4, 0.5, 4), ANCHORS),
        ((-4, 0, 4), [(1, 0), (0, 1)]),  # on a line of the grid, but between its points
        ((-4, -2, 2, 4), [(0, 0)]),
        ((-3, -2, -1, 0, 1, 2, 3), []),
        ((-4, 4), [(6, 0)]),
    ],
)
def test_points_off_the_grid_are_discs_of_the_same_colours(x, anchors):
    data = plane(x, x, anchors)
    (axes,) = draw(PlanePanel(data, "value")).axes
    assert mesh(axes).get_array().shape == (len(x), len(x))
    assert not np.ma.is_masked(mesh(axes).get_array())
    assert not axes.patches  # no hatched cell
    assert [tuple(at) for at in discs(axes).get_offsets()] == [tuple(map(float, at)) for at in anchors]
    np.testing.assert_allclose(discs(axes).get_array(), data["estimate"].tail(len(anchors)) if anchors else [])
    assert discs(axes).norm is mesh(axes).norm and discs(axes).get_cmap() is mesh(axes).get_cmap()
    np.testing.assert_allclose(discs(axes).get_edgecolors(), [to_rgba("white")])
    for at, limits in zip(discs(axes).get_offsets(), [(axes.get_xlim(), axes.get_ylim())] * len(anchors), strict=True):
        assert all(low < value < high for value, (low, high) in zip(at, limits, strict=True))


def test_log_scale_spans_all_values():
    data = plane((-4, 0, 4), (-4, 0, 4), value=explode)
    (axes,) = draw(PlanePanel(data, "Perplexity", "log")).axes
    norm = mesh(axes).norm
    assert (norm.vmin, norm.vmax) == (data["estimate"].min(), data["estimate"].max())
    figure_colours = mesh(axes).to_rgba(mesh(axes).get_array())
    viridis = mpl.colormaps["viridis"]
    np.testing.assert_allclose(figure_colours[0, 0], viridis(1.0))  # (-4, -4): the top
    share = np.log(explode(4, 4) / norm.vmin) / np.log(norm.vmax / norm.vmin)
    np.testing.assert_allclose(figure_colours[2, 2], viridis(share))
    assert bar(axes).get_yscale() == "log"
    assert bar(axes).get_ylabel() == "Perplexity (log scale)"
    low, high = bar(axes).get_ylim()
    ticks = [at for at in bar(axes).get_yticks() if low <= at <= high]
    assert ticks == [10.0**power for power in range(1, 7)]


def test_above_the_limit_is_grey_and_told():
    data = plane((-4, 0, 4), (-4, 0, 4), [(1, 0), (5, 5)], value=explode)
    figure = draw(PlanePanel(data, "Perplexity", "log", limit=1500))
    (axes,) = figure.axes
    norm = mesh(axes).norm
    assert norm.vmax == 1500
    figure.draw_without_rendering()
    colours = mesh(axes).get_facecolors().reshape(3, 3, 4)
    grey = to_rgba("0.8")
    over = mesh(axes).get_array() > 1500
    assert 0 < over.sum() < 9
    assert (np.isclose(colours, grey).all(axis=-1) == over).all()
    assert np.isclose(discs(axes).get_facecolors(), grey).all(axis=1).tolist() == [False, True]
    # Dots on the cells, since light grey is also how greyscale shows the top of the scale.
    assert [patch.get_hatch() for patch in axes.patches] == ["...."] * over.sum()
    assert mesh(axes).colorbar.extend == "max"
    assert bar(axes).get_ylabel() == "Perplexity (log scale)\n(above 1,500 grey, dotted)"
    # Nothing is above: nothing is said.
    (axes,) = draw(PlanePanel(data, "Perplexity", "log", limit=1e9)).axes
    assert mesh(axes).norm.vmax == data["estimate"].max() and mesh(axes).colorbar.extend == "neither"
    assert bar(axes).get_ylabel() == "Perplexity (log scale)"


@pytest.mark.parametrize("name", (PLAIN, CENTRED))
def test_greyscale_keeps_the_order_of_a_scale(name):
    luminance = mpl.colormaps[name](np.linspace(0, 1, 64))[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) > 0).all() and luminance[-1] - luminance[0] > 0.6


def test_panels_show_the_median_interval():
    (axes,) = draw(PlanePanel(plane(width=3.2), "value")).axes
    (bracket,) = [line for line in axes.lines if line.get_gid() == "interval"]
    # Values from 3 to 19.
    assert bracket.get_ydata() == pytest.approx((0.4, 0.4, 0.6, 0.6))
    assert axes.get_title(loc="left").replace("\n", " ") == "bracket: median 95 % interval, 3.2 wide"
    (axes,) = draw(PlanePanel(plane(), "value")).axes
    assert not [line for line in axes.lines if line.get_gid()] and axes.get_title(loc="left") == "no intervals"


def test_a_plane_of_noise_says_so_and_is_pale():
    data = plane(value=lambda x, y: 0.33 + 0.01 * x, width=0.16)
    for panel in (PlanePanel(data, "score", centre=0.33), PlanePanel(data, "score"), PlanePanel(data, "score", "log")):
        (axes,) = draw(panel).axes
        assert axes.get_title(loc="left").replace("\n", " ").endswith("within noise")
        shares = mesh(axes).norm(mesh(axes).get_array())
        assert shares.max() - shares.min() <= 0.26


def test_many_panels_are_no_wider_than_a_page():
    figure = draw(*[PlanePanel(plane(), f"value {index}") for index in range(7)])
    assert tuple(figure.get_size_inches()) == pytest.approx((3 * 3.6, 3 * 3.0))
    assert tuple(draw(*[PlanePanel(plane(), "value")] * 4, columns=1).get_size_inches()) == pytest.approx((3.6, 12))


def test_centred_scale_is_symmetric():
    (axes,) = draw(PlanePanel(plane(value=lambda x, y: 0.5 + 0.1 * x + 0.02 * y), "score", centre=0.5)).axes
    norm = mesh(axes).norm
    assert (norm.vmin, norm.vmax) == pytest.approx((0.5 - 0.26, 0.5 + 0.26))  # at (2, 3)
    assert mesh(axes).get_cmap().name == "cividis"


def test_missing_cells_are_hatched():
    data = plane(extra=[(0, 0), (1, 0)])
    data.loc[[4, 9], "estimate"] = np.nan  # (0.5, 0.5), and the first anchor
    data = data.drop(index=8)  # (2, 3)
    (axes,) = draw(PlanePanel(data, "value", limit=16)).axes
    assert np.ma.getmaskarray(mesh(axes).get_array()).tolist() == [[False] * 3, [False, True, False], [False, False, True]]  # noqa: E501  # fmt: skip
    hatched = [patch for patch in axes.patches if patch.get_hatch() == "/////"]
    assert [(patch.get_xy(), patch.get_width(), patch.get_height()) for patch in hatched] == [
        ((-0.75, -0.25), 2, 2),
        ((1.25, 1.75), 1.5, 2.5),
    ]
    assert all(patch.get_hatch() for patch in axes.patches)
    assert [tuple(at) for at in discs(axes).get_offsets()] == [(1, 0)]
    assert bar(axes).get_ylabel() == "value\n(above 16 grey, dotted)\n(no value where hatched)"


def test_rings_and_lines():
    x = np.linspace(-4, 4, 20).round(6)
    figure = draw(
        PlanePanel(plane(x, x, ANCHORS), "value"), PlanePanel(plane(x, x), "other"),
        coordinate_labels={"alpha": "α"}, markers=MARKERS, lines=LINES, title="A plane",
    )  # fmt: skip
    assert figure.get_suptitle() == "A plane"
    edge = 4 + 4 / 19
    for axes in figure.axes:
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("α", "beta")
        one, two, rings = axes.lines
        np.testing.assert_allclose(one.get_xydata(), [[1 - edge, edge], [edge, 1 - edge]])
        np.testing.assert_allclose(two.get_xydata(), [[-edge, edge], [edge, -edge]])
        assert one.is_dashed() and two.is_dashed()
        assert rings.get_xydata().tolist() == [list(map(float, at)) for at in ANCHORS]
        assert rings.get_markerfacecolor() == "none"
        assert [text.get_text() for text in axes.texts] == ["θ⁰", "θ⁺", "θ⁻", "α + β = 1", "β = −α"]
        assert [text.xy for text in axes.texts[:3]] == ANCHORS
        assert [text.get_rotation() for text in axes.texts[3:]] == [0, 0]
        # On the outer side of each line.
        assert axes.texts[3].xyann[1] > 0 > axes.texts[4].xyann[1]
        assert all(text.get_color() == "white" and text.get_path_effects() for text in axes.texts)


@pytest.mark.parametrize("size", [2.6, 3.6, 5])
@pytest.mark.parametrize("x", [np.linspace(-4, 4, 20), np.linspace(-2, 2, 7)])
def test_labels_are_inside_and_apart(size, x):
    figure = draw(PlanePanel(plane(x, x), "value"), markers=MARKERS, lines=LINES, panel_width=size, panel_height=size)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    frame = axes.bbox.padded(1)
    assert len(boxes) == 5
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes[:3]) for b in boxes[:i])


@pytest.mark.parametrize(
    ("coefficients", "value", "ends"),
    [
        ({"alpha": 1}, 0.5, [[0.5, -2], [0.5, 2]]),
        ({"beta": 2}, 1, [[-2, 0.5], [2, 0.5]]),
        ({"alpha": -1, "beta": 1}, 0, [[-2, -2], [2, 2]]),
        ({"alpha": -2, "beta": 1}, 0, [[-1, -2], [1, 2]]),
        ({"alpha": 1, "beta": 1}, 4, None),  # touches a corner
        ({"alpha": 1, "beta": 1}, 9, None),  # outside
    ],
)
def test_lines_are_clipped_to_the_plane(coefficients, value, ends):
    figure = draw(
        PlanePanel(plane((-1, 1), (-1, 1)), "value"),
        lines=[{"label": "a line", "coefficients": coefficients, "value": value}],
        markers=[{"label": "far", "at": {"alpha": 5, "beta": 0}}],
    )
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim() == (-2, 2)
    drawn = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "None"]
    assert drawn == ([] if ends is None else [[list(map(float, end)) for end in ends]])
    assert [text.get_text() for text in axes.texts] == ([] if ends is None else ["a line"])


def test_errors():
    def error(data=None, message="", scale="linear", limit=None, centre=None, **changes):
        with pytest.raises(UserError, match=message):
            draw(PlanePanel(plane() if data is None else data, "value", scale, limit, centre), **changes)

    error(plane(y=(0,)), "the points make no grid")
    error(plane().iloc[[0, 4, 8]], "the points make no grid")  # a diagonal
    error(plane(value=lambda x, y: x), "-2 is not positive; use scale: linear", scale="log")
    error(message="limit 3 is not above the smallest value, 3", limit=3)
    error(message="centre goes with scale: linear and without a limit", scale="log", centre=1)
    error(message="centre goes with scale: linear and without a limit", limit=30, centre=1)
    error(plane(value=lambda x, y: np.nan), "no point has a value")
    error(plane(value=lambda x, y: np.inf if x == y else 1), r"at \{'alpha': 0.5, 'beta': 0.5\} is infinite")
    error(message=r"not \['gamma'\]", markers=[{"label": "m", "at": {"gamma": 1}}])
    error(message="marker m lacks a coordinate", markers=[{"label": "m", "at": {"alpha": 1}}])
    error(message=r"not \['gamma'\]", lines=[{"label": "l", "coefficients": {"gamma": 1}, "value": 1}])
    error(message="line l: all coefficients are 0", lines=[{"label": "l", "coefficients": {"alpha": 0}, "value": 1}])


# --- tables ---


def test_points_of_a_sweep_table():
    table = pd.concat(
        [
            plane().assign(sweep="plane", prompts=prompts, scorer=scorer, statistic="score")
            for prompts in ("neutral", "positive")
            for scorer in ("sentiment", "grammar")
        ],
        ignore_index=True,
    )
    table["estimate"] = np.arange(len(table), dtype=float)
    where = {"scorer": "grammar", "statistic": "score", "prompts": "neutral"}
    data = select_points(table, COORDINATES, where)
    assert list(data) == ["alpha", "beta", "estimate", "low", "high"]
    assert data["estimate"].tolist() == list(range(9, 18))
    with pytest.raises(UserError, match=r"plane has no scorer 'ppl' .* choose one of \['sentiment', 'grammar'\]"):
        select_points(table, COORDINATES, {**where, "scorer": "ppl"})
    with pytest.raises(UserError, match=r"several values at \{'alpha': -2.0, 'beta': -1.0\}"):
        select_points(table, COORDINATES, {"scorer": "grammar", "statistic": "score"})
    with pytest.raises(UserError, match="plane has no column 'gamma'"):
        select_points(table, ("alpha", "gamma"), where)
    with pytest.raises(UserError, match="plane has no column 'class'"):
        select_points(table, COORDINATES, {"class": "positive", "statistic": "nll_text"})


def test_points_of_a_loss_table():
    parts = [
        plane().assign(sweep="plane", statistic="nll_text", **{"class": name}) for name in ("negative", "positive")
    ]
    parts[1]["estimate"] += 100
    data = select_points(pd.concat(parts), COORDINATES, {"class": "positive", "statistic": "nll_text"})
    np.testing.assert_array_equal(data["estimate"], plane()["estimate"] + 100)


def test_files_are_reproducible(tmp_path):
    x = np.linspace(-4, 4, 20).round(6)
    for name in ("one", "two"):
        figure = draw(
            PlanePanel(plane(x, x, ANCHORS, explode), "Perplexity", "log", 1000),
            markers=MARKERS,
            lines=LINES,
            title="θ₃",
        )
        save_figure(figure, tmp_path / f"{name}.png", tmp_path / f"{name}.pdf", dpi=80)
    for kind in ("png", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


# --- a setting of a method as a coordinate


DENSITIES = (0.05, 0.2, 0.5, 1)


def of_method() -> pd.DataFrame:
    """A weight and a density; without a displacement every density is the base."""
    data = plane((0, 0.5, 1, 2), DENSITIES, value=lambda x, y: 3 + x * y)
    return data.rename(columns={"alpha": "gamma", "beta": "density"})


def test_settings_have_equal_steps_and_a_tick_at_each_value():
    markers = [{"label": "TIES", "at": {"gamma": 1, "density": 0.2}}]
    figure = plot_plane(
        [PlanePanel(of_method(), "NLL")], ("gamma", "density"), {"gamma": "γ"}, markers, even=["density"]
    )
    figure.draw_without_rendering()
    (axes,) = figure.axes
    edges = mesh(axes).get_coordinates()
    np.testing.assert_allclose(edges[0, :, 0], [-0.25, 0.25, 0.75, 1.5, 2.5])
    np.testing.assert_allclose(edges[:, 0, 1], [-0.5, 0.5, 1.5, 2.5, 3.5])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.05", "0.2", "0.5", "1"]
    np.testing.assert_allclose(mesh(axes).get_array()[:, 0], 3)
    np.testing.assert_allclose(mesh(axes).get_array()[:, 2], 3 + np.array(DENSITIES))
    assert axes.get_aspect() == "auto"
    (ring,) = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    np.testing.assert_allclose(ring.get_xydata(), [[1, 1]])


def test_equal_steps_allow_no_straight_line_and_no_place_between():
    panel, names = PlanePanel(of_method(), "NLL"), ("gamma", "density")
    line = {"label": "l", "coefficients": {"gamma": 1, "density": 1}, "value": 1}
    with pytest.raises(UserError, match="line l: is not straight where"):
        plot_plane([panel], names, lines=[line], even=["density"])
    with pytest.raises(UserError, match=r"marker m: density = 0.3 has no tick; choose one of 0.05, 0.2, 0.5, 1"):
        plot_plane([panel], names, markers=[{"label": "m", "at": {"gamma": 0, "density": 0.3}}], even=["density"])


def test_many_settings_do_not_crowd_the_axis():
    data = plane((0, 1), tuple(np.arange(1, 31) / 100)).rename(columns={"alpha": "gamma", "beta": "density"})
    figure = plot_plane([PlanePanel(data, "NLL")], ("gamma", "density"), even=["density"])
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(shown) == 30 and shown[:4] == ["0.01", "", "", "0.04"] and sum(map(bool, shown)) == 10
