"""The explorer in a real browser: a headless Chromium, controlled by keyboard and mouse.

After each test the console must be empty, and nothing but the page itself may have been requested.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from lm_interpolation.points.algebra import Point
from lm_interpolation.study.study import Study
from tests.made_study import made_config, made_score, make_page, make_results, plain_text, write_metrics

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found; on Debian: apt-get install chromium"),
]

NASTY = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title='broken'\"> & <b>so on</b>"
NASTY_POINT = "negative=0.5+positive=0.5"
SWEEPS: dict[str, Any] = {
    "theta1": {
        "label": "θ₁(α) = α θ⁺ + (1 − α) θ⁻",
        "coordinate_labels": {"alpha": "α"},
        "origin": {"negative": 1},
        "directions": {"alpha": {"positive": 1, "negative": -1}},
        "grid": {"alpha": [-4, -1, 0, 0.5, 1, 2, 5]},
        "prompts": ["neutral", "others"],
    },
    "plane": {
        "label": "<i>θ₃</i>",
        "coordinate_labels": {"alpha": "α", "beta": "β"},
        "origin": {"base": 1},
        "directions": {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}},
        "grid": {"alpha": [-2, -1, 0, 1, 2], "beta": [-1, 0, 3]},
        "anchors": [{"alpha": 0.25, "beta": 0.5}],
        "prompts": ["neutral"],
        "scorers": ["sentiment", "perplexity"],
    },
    "ensemble": {
        "space": "logits",
        "origin": {"base": 1},
        "directions": {"gamma": {"positive": 1, "negative": -1}},
        "grid": {"gamma": [0, 0.5]},
        "prompts": ["others"],
        "scorers": ["distinct"],
    },
    "cube": {
        "origin": {"base": 1},
        "directions": {
            "alpha": {"positive": 1, "base": -1},
            "beta": {"negative": 1, "base": -1},
            "delta": {"positive": 1, "negative": -1},
        },
        "grid": {"alpha": [0, 1], "beta": [0, 1, 2], "delta": [0, 0.5]},
        "prompts": ["others"],
        "scorers": ["sentiment"],
    },
}
PROMPTS = {
    "neutral": {"source": "list", "texts": [f"Prompt {row} was" for row in range(30)]},
    "others": {"source": "list", "texts": ["Ταινία <u>ή</u> έργο", "Ein Film"]},
}


def nasty_text(point: Point, row: int, sample: int) -> str:
    if point.id == NASTY_POINT:
        return NASTY
    # What has no perplexity.
    return "" if point.id == "positive=1" and sample == 2 else plain_text(point, row, sample)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``page.html`` and the results that it shows."""
    figures = made_config()["figures"]
    figures["fig3"]["sweeps"] = ["theta1"]
    study = Study(made_config(sweeps=SWEEPS, prompts=PROMPTS, figures=figures))
    folder = tmp_path_factory.mktemp("explorer")
    with contextlib.chdir(folder):
        make_results(study, nasty_text)
        make_page(study, "page.html")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, as whom CI may run.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a file, at a width and with a fragment, and waits until the plots are drawn."""
    said: list[str] = []
    asked: list[str] = []
    opened: list[tuple[Page, str]] = []

    def open_page(path: Path, fragment: str = "", width: int = 1280) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 800})
        opened.append((page, path.as_uri()))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        expect(page.locator("main:not([aria-busy])")).to_be_visible(timeout=120_000)
        return page

    yield open_page
    titles = {page.title() for page, _ in opened}
    for page, _ in opened:
        page.close()
    assert said == []
    assert [url.partition("#")[0] for url in asked] == [uri for _, uri in opened]
    assert titles == {"Explorer: tiny"}


def card(page: Page, where: str) -> Locator:
    return page.locator(f'#cards article[data-where="{where}"]')


def texts(page: Page, where: str) -> list[str]:
    return card(page, where).locator("p.text").all_text_contents()


def expected_texts(point: str, row: int = 0) -> list[str]:
    return [nasty_text(Point.parse(point), row, sample) or "(nothing)" for sample in range(3)]


def estimate(folder: Path, sweep: str, scorer: str, statistic: str, **where: Any) -> tuple[float, float, float]:
    table = pd.read_csv(folder / "results" / "tiny" / "tables" / f"{sweep}.csv", keep_default_na=False)
    for column, value in {"scorer": scorer, "statistic": statistic, **where}.items():
        table = table[table[column] == value]
    (row,) = table[["estimate", "low", "high"]].astype(float).to_numpy().tolist()
    return tuple(row)


def shown_scores(page: Page) -> dict[str, list[str]]:
    rows = page.locator("#scores tr")
    return {
        rows.nth(index).locator("th").inner_text().split("\n")[0]: rows.nth(index).locator("td").all_inner_texts()
        for index in range(rows.count())
    }


def test_the_first_view_is_the_middle_of_the_first_sweep(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    assert page.locator("#sweep").input_value() == "0"
    expect(page.locator("#point")).to_have_text("θ = 0.5 negative + 0.5 positive")
    expect(page.locator("#prompt")).to_have_text("Prompt 0 was")
    expect(page.locator("#thinned")).to_contain_text("Showing 12 of 30 prompts, 3 of 3 continuations")
    value, low, high = estimate(folder, "theta1", "sentiment", "score", alpha=0.5, prompts="neutral")
    assert shown_scores(page)["Positive score"] == [f"{value:.3g}", f"{low:.3g} to {high:.3g}"]
    assert [entry.get_attribute("data-where") for entry in page.locator("#cards article").all()] == [
        "this", "previous", "next"
    ]  # fmt: skip
    assert page.locator(".plot .main-svg").count() >= 4


def test_the_slider_is_moved_by_the_keyboard(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    page.locator("#row").focus()
    page.keyboard.press("Tab")
    slider = page.get_by_label("α", exact=True)
    expect(slider).to_be_focused()
    outline = slider.evaluate(
        "element => [getComputedStyle(element).outlineStyle, getComputedStyle(element).outlineWidth]"
    )
    assert outline == ["solid", "3px"]
    drawn = page.locator(".plot").first.get_attribute("aria-label")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#point")).to_have_text("θ = positive")
    assert slider.get_attribute("aria-valuetext") == "α = 1"
    value, low, high = estimate(folder, "theta1", "sentiment", "score", alpha=1, prompts="neutral")
    assert shown_scores(page)["Positive score"] == [f"{value:.3g}", f"{low:.3g} to {high:.3g}"]
    expect(page.get_by_role("status")).to_contain_text(f"α = 1. Positive score {value:.3g}, interval {low:.3g} to")
    assert texts(page, "previous") == expected_texts(NASTY_POINT)
    assert texts(page, "this") == expected_texts("positive=1")
    assert texts(page, "next") == expected_texts("negative=-1+positive=2")
    expect(page.locator(".plot").first).not_to_have_attribute("aria-label", str(drawn))
    page.keyboard.press("End")
    expect(page.locator("#point")).to_have_text("θ = −4 negative + 5 positive")
    assert card(page, "next").count() == 0 and card(page, "previous").count() == 1
    page.keyboard.press("Home")
    expect(page.locator("#point")).to_have_text("θ = 5 negative − 4 positive")


def test_scores_are_readable_without_colour(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=theta1&at=2")
    point = Point.parse("negative=-1+positive=2")
    items = card(page, "this").locator("li")
    for sample in range(3):
        score = made_score(point, 0, sample)
        expect(items.nth(sample).locator(".score")).to_contain_text(f"{score:.2f}")
        width = items.nth(sample).locator(".track span").evaluate("bar => bar.style.width")
        assert float(width.removesuffix("%")) == pytest.approx(100 * score)
    expect(page.locator("#legend")).to_contain_text("P(positive) + 0.5 P(neutral) by sentiment-judge")


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_have_good_contrast_on_every_colour(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    ink = luminance(page.evaluate("getComputedStyle(document.body).color"))
    grounds = {luminance(page.evaluate(f"mixed({share})")) for share in (0, 0.25, 0.5, 0.75, 1)}
    # WCAG 2, AA: 4.5.
    assert min((ground + 0.05) / (ink + 0.05) for ground in grounds) > 4.5 and len(grounds) == 5


def test_a_cell_of_the_plane_is_clicked(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=plane")
    expect(page.locator("#point")).to_have_text("θ = base")
    assert texts(page, "above") == expected_texts("base=-2+negative=3")
    click_plane(page, 2, 3)
    expect(page.locator("#point")).to_have_text("θ = −4 base + 3 negative + 2 positive")
    assert page.get_by_label("α", exact=True).get_attribute("aria-valuetext") == "α = 2"
    assert page.get_by_label("β", exact=True).get_attribute("aria-valuetext") == "β = 3"
    value, low, high = estimate(folder, "plane", "sentiment", "score", alpha=2, beta=3)
    assert shown_scores(page)["Positive score"] == [f"{value:.3g}", f"{low:.3g} to {high:.3g}"]
    assert texts(page, "this") == expected_texts("base=-4+negative=3+positive=2")
    assert texts(page, "left") == expected_texts("base=-3+negative=3+positive=1")
    assert texts(page, "below") == expected_texts("base=-1+positive=2")
    assert card(page, "right").count() == card(page, "above").count() == 0
    assert "at=2%2C3" in page.url


def click_plane(page: Page, x: float, y: float) -> None:
    """Click into the first heat map at these coordinates."""
    page.locator(".plot").first.scroll_into_view_if_needed()
    left, top = page.evaluate(
        """([x, y]) => {
            const plot = document.querySelector(".plot"), { xaxis, yaxis } = plot._fullLayout;
            const { left, top } = plot.getBoundingClientRect();
            return [left + xaxis._offset + xaxis.d2p(x), top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [x, y],
    )
    page.mouse.move(left, top)
    page.mouse.click(left, top)


def test_a_point_beside_the_grid_is_clicked_and_left_by_the_keyboard(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=plane")
    click_plane(page, 0.25, 0.5)
    expect(page.locator("#point")).to_have_text("θ = 0.25 base + 0.5 negative + 0.25 positive")
    # Its neighbours are those of the nearest row and column.
    assert texts(page, "left") == expected_texts("base=1")
    assert texts(page, "above") == expected_texts("base=-2+negative=3")
    page.get_by_label("β", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#point")).to_have_text("θ = −2 base + 3 negative")
    page.get_by_role("button", name="α = 0.25, β = 0.5").press("Enter")
    expect(page.locator("#point")).to_have_text("θ = 0.25 base + 0.5 negative + 0.25 positive")


def test_a_point_of_a_curve_is_clicked(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    value = estimate(folder, "theta1", "sentiment", "score", alpha=-1, prompts="neutral")[0]
    click_plane(page, -1, value)
    expect(page.locator("#point")).to_have_text("θ = 2 negative − positive")


def test_prompts_and_sweeps_are_chosen(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=theta1&at=2")
    page.locator("#row").select_option(index=3)
    row = 3 * 30 // 12
    expect(page.locator("#prompt")).to_have_text(f"Prompt {row} was")
    assert texts(page, "this") == expected_texts("negative=-1+positive=2", row)
    page.locator("#prompts").select_option(label="others prompts")
    expect(page.locator("#prompt")).to_have_text("Ταινία <u>ή</u> έργο")
    value, low, high = estimate(folder, "theta1", "sentiment", "score", alpha=2, prompts="others")
    assert shown_scores(page)["Positive score"] == [f"{value:.3g}", f"{low:.3g} to {high:.3g}"]
    page.locator("#sweep").select_option(index=2)
    expect(page.locator("#point")).to_have_text("logits = base − 0.5 negative + 0.5 positive (an ensemble)")
    # Without a classifier no text has a colour.
    assert page.locator("#cards .score").count() == 0
    expect(page.locator("#legend")).to_have_text("No scorer gives each of these texts a score, so they have no colour.")


def test_more_coordinates_than_two(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=cube&at=0,1,0.5")
    expect(page.locator("#point")).to_have_text("θ = 0.5 negative + 0.5 positive")
    assert page.locator("#sliders input").count() == 3
    assert texts(page, "delta −") == expected_texts("negative=1")
    click_plane(page, 1, 2)
    expect(page.locator("#point")).to_have_text("θ = −2 base + 1.5 negative + 1.5 positive")


def test_the_address_keeps_the_view(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    page.locator("#sweep").select_option(index=1)
    page.locator("#row").select_option(index=2)
    page.get_by_label("α", exact=True).press("ArrowLeft")
    address, shown = page.url, page.locator("#cards").inner_text()
    again = open_page(folder / "page.html", address.partition("#")[2])
    assert again.locator("#cards").inner_text() == shown
    expect(again.locator("#point")).to_have_text("θ = 2 base − positive")
    # As when a link within the page is followed.
    again.evaluate("location.hash = 'sweep=theta1&at=2&prompts=others&prompt=1'")
    expect(again.locator("#point")).to_have_text("θ = −negative + 2 positive")
    expect(again.locator("#prompt")).to_have_text("Ein Film")
    expect(again.get_by_role("alert")).to_be_hidden()


def test_what_an_address_names_in_vain_is_told(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=theta1&at=0.3&prompts=neutral&prompt=1")
    expect(page.get_by_role("alert")).to_have_text("Not on this page: at 0.3, prompt 1.")
    expect(page.locator("#point")).to_have_text("θ = 0.5 negative + 0.5 positive")


def test_markup_in_texts_is_shown_and_does_not_run(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=theta1&at=0.5&prompts=others")
    assert card(page, "this").locator("p.text").all_inner_texts() == [NASTY] * 3
    assert page.locator("#cards script, #cards img, #cards b, #prompt u, #row u").count() == 0
    expect(page.locator("#prompt")).to_have_text("Ταινία <u>ή</u> έργο")
    assert page.locator("#sweep option").nth(1).inner_text() == "plane: <i>θ₃</i>"


def test_what_is_missing_is_told(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=theta1&at=1")
    expect(card(page, "this").locator("p.empty")).to_have_text("(nothing)")
    expect(page.locator("#scores")).to_contain_text("texts without a score: 30")


def test_texts_that_were_not_judged_are_told(open_page: Open, tmp_path: Path) -> None:
    config = made_config(sweeps=SWEEPS, prompts=PROMPTS, figures={})
    config["scorers"]["sentiment"]["samples"] = 1
    study = Study(config)
    with contextlib.chdir(tmp_path):
        make_results(study)
        make_page(study, "page.html")
    page = open_page(tmp_path / "page.html")
    told = card(page, "this").locator(".score").all_text_contents()
    assert re.fullmatch(r"\d\.\d\d", told[0]) and told[1:] == ["not judged", "not judged"]
    assert len(texts(page, "this")) == 3
    notes = page.locator("#scores .note").all_text_contents()
    assert notes.count("first 1 of 3 continuations") == 1
    assert page.locator("#counts").text_content().startswith("From all texts, unless noted: 3 continuations")
    # The ensemble is not scored by it.
    page = open_page(tmp_path / "page.html", "sweep=ensemble")
    assert page.locator("#counts").text_content().startswith("From all texts: 3 continuations")


def test_a_study_without_any_value(open_page: Open, tmp_path: Path) -> None:
    sweeps = {name: {**SWEEPS[name], "scorers": ["perplexity", "distinct"]} for name in ("plane", "theta1")}
    study = Study(made_config(sweeps=sweeps, prompts=PROMPTS, figures={}))
    with contextlib.chdir(tmp_path):
        make_results(study, lambda point, row, sample: "")
        make_page(study, "page.html")
    page = open_page(tmp_path / "page.html")
    assert set(shown_scores(page)) == {"perplexity continuation_corpus", "distinct distinct_2"}
    assert all(values == ["–", "–"] for values in shown_scores(page).values())
    page.locator("#sweep").select_option(index=1)
    expect(page.locator("#point")).to_have_text("θ = 0.5 negative + 0.5 positive")
    assert all(values == ["–", "–"] for values in shown_scores(page).values())


def test_logarithmic_axes_have_labels_over_any_span(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    for low, high in ((3.8, 7.6), (7.41, 7.43), (4, 12), (5, 4000), (1, 10**7), (0.002, 0.9)):
        ticks = page.evaluate("([low, high]) => logTicks(Math.log10(low), Math.log10(high))", [low, high])
        assert 3 <= len(ticks) <= 10 and all(low * 0.999 <= tick <= high * 1.001 for tick in ticks), (low, high, ticks)
    assert page.evaluate("logTicks(1, 1)") == [10]


def test_a_linear_plane_of_huge_values_is_drawn(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=plane")
    drawn = """log => plane({}, state.sweep.points.map((_, index) => [400 + 1e8 * index, null, null, 0]),
        { map: "viridis", low: 400, high: 1e9, log, above: false, bracket: null })"""
    assert page.evaluate(f"log => 'tickvals' in ({drawn})(log).layout.coloraxis.colorbar", False) is False
    assert page.evaluate(f"log => 'tickvals' in ({drawn})(log).layout.coloraxis.colorbar", True) is True


def test_a_plane_shows_its_intervals_and_colours_of_the_figures(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=plane")
    layout, stops = page.evaluate("""() => {
        const plot = document.querySelector("#panels .plot");
        return [plot.layout.coloraxis, data.maps[state.sweep.colours[state.prompts][0].map]];
    }""")
    colours = page.evaluate("state.sweep.colours[state.prompts][0]")
    assert layout["colorscale"] == stops
    assert (layout["cmin"], layout["cmax"]) == (colours["low"], colours["high"])
    # The bracket is as long as the median interval is on the colour bar.
    shape = page.evaluate("document.querySelector('#panels .plot').layout.shapes[0]")
    assert [shape["y0"], shape["y1"]] == pytest.approx(colours["bracket"])
    expect(page.locator("#panels figcaption").first).to_contain_text("median 95 % interval")
    told = page.evaluate("document.querySelector('#panels .plot').data[0].text.flat()")
    assert all("95 % interval" in text for text in told)


def test_cells_above_a_limit_are_grey(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html", "sweep=plane")
    cells, grey = page.evaluate("""() => {
        const colours = { map: "viridis", low: 0, high: 5, log: false, above: true, bracket: null };
        const values = state.sweep.points.map((_, index) => [index, null, null, 0]);
        return plane({}, values, colours).traces.slice(0, 2).map(({ z }) => z.flat());
    }""")
    assert len(cells) == len(grey) == 15
    assert all((cell is None) == (other == 1) for cell, other in zip(cells, grey, strict=True))
    assert max(cell for cell in cells if cell is not None) == 5


def test_numbers_keep_three_digits(open_page: Open, folder: Path) -> None:
    page = open_page(folder / "page.html")
    values = [0, 0.5, 0.00012345, 1.234e-6, 1e-9, 123456, 1.5e7, None]
    shown = ["0", "0.5", "0.000123", "1.23e−6", "1.00e−9", "123,000", "1.50e+7", "–"]
    assert page.evaluate("values => values.map(rounded)", values) == shown


@pytest.mark.parametrize("sweep", SWEEPS)
def test_nothing_is_wider_than_a_phone(open_page: Open, folder: Path, sweep: str) -> None:
    page = open_page(folder / "page.html", f"sweep={sweep}", width=375)
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_a_page_of_400_points_opens(open_page: Open, tmp_path: Path) -> None:
    grid = [step / 4 for step in range(20)]
    sweep = {**SWEEPS["plane"], "grid": {"alpha": grid, "beta": grid}, "anchors": []}
    generation = {**made_config()["generation"], "samples": 10}
    study = Study(made_config(sweeps={"plane": sweep}, prompts=PROMPTS, figures={}, generation=generation))
    with contextlib.chdir(tmp_path):
        make_results(study)
        make_page(study, "page.html")
    page = open_page(tmp_path / "page.html")
    assert page.evaluate("data.sweeps[0].points.length") == 400
    expect(page.locator("#thinned")).to_contain_text("Showing 10 of 30 prompts, 5 of 10 continuations")
    page.get_by_label("β", exact=True).press("ArrowRight")
    expect(page.locator("#point")).to_have_text("θ = −4.25 base + 2.75 negative + 2.5 positive")
    click_plane(page, 0, 0.25)
    expect(page.locator("#point")).to_have_text("θ = 0.75 base + 0.25 negative")


def test_a_weak_judge_is_seen_at_its_panel_its_score_and_its_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_page: Open
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = made_config()["figures"]
    figures["fig3"]["sweeps"] = ["theta1"]
    study = Study(made_config(sweeps=SWEEPS, prompts=PROMPTS, figures=figures))
    make_results(study)
    write_metrics(study, models=["sentiment-judge"], accuracy=0.55)
    make_page(study, "page.html")
    page = open_page(tmp_path / "page.html")
    titles = page.locator("#panels figcaption")
    assert [title for title in titles.all_text_contents() if "weak" in title] == ["Positive score (weak judge)"]
    assert page.locator("#scores th").filter(has_text="(weak judge)").count() == 1
    assert [note.partition(";")[0] for note in page.locator("#judges li").all_text_contents()] == [
        "sentiment by sentiment-judge: weak judge (its accuracy is close to the share of the most frequent class)",
        "grammar by grammar-judge: accuracy 0.900 on 90 test texts (most frequent class 0.500)",
    ]
    for part, told in (("#judges li", "sentiment by"), ("#legend .judge", "weak judge")):
        weak = page.locator(f"{part}.weak")
        assert weak.count() == 1 and weak.inner_text().startswith(told)
    # Where no classifier scores, none is told of.
    page.select_option("#sweep", label="ensemble")
    expect(page.locator("#judges")).to_be_hidden()
    assert page.locator(".judge").count() == 0
