"""The report: its contents, sections and captions, and how it looks in a browser."""

import contextlib
import html
import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pandas as pd
import pytest
import yaml
from playwright.sync_api import Page, sync_playwright

from benchmarks.dag import copy_workflow
from lm_interpolation.claims.page import write_claims
from lm_interpolation.claims.verdicts import corrected, untested
from lm_interpolation.commands.report import check_current, main
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.pages.captions import write_up
from lm_interpolation.pages.overview import count_texts, write_overview
from lm_interpolation.pages.pages import markdown_page, table_page
from lm_interpolation.pages.table_captions import write_up_table
from lm_interpolation.study import captions
from lm_interpolation.study.captions import OTHER_SECTION
from lm_interpolation.study.kinds.analyses.linearity import Linearity
from lm_interpolation.study.kinds.tables import sweep_table
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study
from lm_interpolation.tables.tables import STATISTIC_COLUMNS
from tests.made_study import keep_records, write_metrics

pytestmark = pytest.mark.usefixtures("warm_python")

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "tiny.yaml"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Beside a copy of the Snakefile, which calls it.
LISTING = """
import json
from types import SimpleNamespace

from snakemake.io import get_flag_value, is_flagged
from snakemake.iocontainers import Wildcards
from snakemake.report import expand_labels, expand_report_argument


def shown(workflow, path):
    rule = next(rule for rule in workflow.rules if rule.output and rule.is_producer(path))
    wildcards = Wildcards(fromdict=rule.get_wildcards(path))
    output = rule.expand_output(wildcards)[0]
    file = next(file for file in output if file == path)
    if not is_flagged(file, "report"):
        return None
    flag = get_flag_value(file, "report")
    job = SimpleNamespace(output=output, params={}, input=[], rule=rule)
    category, subcategory = (
        workflow.async_run(expand_report_argument(item, wildcards, job)) for item in (flag.category, flag.subcategory)
    )
    return {
        "category": category,
        "subcategory": subcategory,
        "labels": workflow.async_run(expand_labels(flag.labels, wildcards, job)),
        "caption": flag.caption.get_path_or_uri(secret_free=True),
        "output": dict(output.items()) | {str(index): str(name) for index, name in enumerate(output)},
        "wildcards": dict(wildcards.items()),
    }


def write(workflow, paths):
    with open("listing.json", "w") as handle:
        json.dump({path: shown(workflow, path) for path in paths}, handle)
"""


def run(folder: Path, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"cwd": folder, "capture_output": True, "text": True, "timeout": 300, **options}
    return subprocess.run([sys.executable, "-m", *command], check=False, **options)


# --- what is in the report ---


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, dict[str, Any]]:
    """The embedded study, and each of its results with what the rules say of it to the report."""
    folder = tmp_path_factory.mktemp("listing")
    copy_workflow(folder)
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "listing.py").write_text(LISTING)
    with open(folder / "Snakefile", "a") as handle:
        handle.write("\nimport listing\n\nlisting.write(workflow, study.targets.results())\n")
    done = run(folder, "snakemake", "--cores", "1", "--dry-run", "--quiet", "all")
    assert done.returncode == 0, done.stdout + done.stderr
    study = Study(read_study([ROOT / "config" / "config.yaml"]))
    return study, json.loads((folder / "listing.json").read_text())


def test_all_figures_tables_and_verdicts_are_in_the_report(listing: tuple[Study, dict[str, Any]]) -> None:
    study, results = listing
    # The texts beside them are the captions; the summary is for the terminal, and the explorer a page of its own.
    beside = {path for path in results if path.endswith((".md", "summary.txt", "explorer.html"))}
    assert {path for path, shown in results.items() if shown is None} == beside
    assert {Path(path).suffix for path in results if "/figures/" in path and path not in beside} == {".png", ".pdf"}
    assert {Path(path).suffix for path in results if "/tables/" in path and path not in beside} == {".csv", ".html"}
    assert set(results) - beside >= {study.path("claims.html"), study.path("claims.json")}


def test_results_stand_under_the_section_of_their_figure(listing: tuple[Study, dict[str, Any]]) -> None:
    study, results = listing
    section = {Path(path).name: shown["category"] for path, shown in results.items() if shown}
    assert section["fig3.png"] == section["fig3.pdf"] == section["theta1.csv"] == section["theta1.html"]
    assert section["fig3.png"].startswith("§ 4.1 ") and section["fig7.png"].startswith("§ 4.3 ")
    # Their losses are behind the figure of barriers alone.
    assert section["theta1-loss.csv"] == section["barrier.png"] == section["fig3.png"]
    assert section["taylor_summary.csv"] == section["linearity.png"]
    assert section["claims.html"] == section["claims.json"] == "Claims"
    assert {category for category in section.values() if not category.startswith("§ ")} == {
        "Adapters",
        "Claims",
        "Ensembles",
        "Methods",
        # Tables that no figure shows.
        "Other results",
        "Two attributes",
        captions.section(study, "table2"),
    }


def test_files_of_one_result_are_told_apart_by_their_format_only(listing: tuple[Study, dict[str, Any]]) -> None:
    results = {path: shown for path, shown in listing[1].items() if shown}
    assert {shown["subcategory"] for shown in results.values()} == {"Figures", "Tables", None}
    for path, shown in results.items():
        what, name = next(iter(shown["labels"].items()))
        assert (what, name) == {
            "Figures": ("figure", Path(path).stem),
            "Tables": ("table", Path(path).stem),
            None: ("claims", "verdicts"),
        }[shown["subcategory"]]
        assert Path(path).suffix[1:].upper() in shown["labels"]["format"]


def test_every_caption_is_the_text_beside_the_result(listing: tuple[Study, dict[str, Any]]) -> None:
    study, results = listing
    for path, shown in results.items():
        if shown is None:
            continue
        job = SimpleNamespace(
            output=shown["output"] | {int(key): name for key, name in shown["output"].items() if key.isdigit()},
            wildcards=shown["wildcards"],
            config=study.config,
        )
        template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(Path(shown["caption"]).read_text())
        (beside,) = set(re.findall(r"^\.\. include:: (.+)$", template.render(snakemake=job), re.MULTILINE))
        assert beside == str(Path(path).with_suffix(".md"))
        assert beside in results


def test_a_figure_without_a_section_and_what_no_figure_shows_come_last() -> None:
    config = yaml.safe_load(TINY.read_text())
    study = Study(config)
    assert {
        captions.section(study, "fig3"),
        captions.table_section(study, "theta1"),
        captions.table_section(study, "losses"),
    } == {OTHER_SECTION}
    config["figures"]["fig3"]["section"] = "Mine"
    study = Study(config)
    assert (captions.section(study, "fig3"), captions.table_section(study, "theta1")) == ("Mine", "Mine")
    assert captions.table_section(study, "losses") == OTHER_SECTION
    figure = study.declared.figures["fig3"]
    assert "section" not in {**figure.look(), **figure.settings(study)}


# --- what is said of tables ---


def test_the_text_beside_a_table_tells_its_rows_setting_size_and_columns() -> None:
    table = pd.DataFrame({"sweep": "s", "alpha": [0, 1], "point": ["a=1", "b=1"], "class": "", "n_texts": [7, 9]})
    columns = [(name, f"what {name} is") for name in table]
    text = write_up_table(
        "t", "One loss.", columns, ["one fact"], ["one judge"], ["fig8", "fig9"], table, ["It rises."]
    )
    assert text == (
        "# t\n\n"
        "**Finding.**\n\n"
        "- It rises.\n\n"
        "**A row.** One loss.\n\n"
        "**Here.**\n\n"
        "- one fact\n"
        "- shown in fig8, fig9\n\n"
        "**Judges.**\n\n"
        "- one judge\n\n"
        "**Size.** 2 rows: 2 points, up to 9 texts per point and class\n\n"
        "**Columns.**\n\n"
        "- `sweep`: what sweep is\n"
        "- `alpha`: what alpha is\n"
        "- `point`: what point is\n"
        "- `class`: what class is\n"
        "- `n_texts`: what n_texts is\n"
    )
    # Words that do not fit the table are a mistake in the declaration of its kind.
    for wrong in (columns[1:], [*columns, ("low", "")], columns[::-1]):
        with pytest.raises(ValueError, match=r"table t: has the columns .*, but described are"):
            write_up_table("t", "", wrong, [], [], [], table, [])


def test_a_table_is_told_by_its_sweep_judges_and_figures() -> None:
    study = Study(read_study([ROOT / "config" / "config.yaml"]))
    theta1 = captions.table_settings(study, "theta1")["text"]
    assert theta1["facts"][0].startswith("theta1 = negative + alpha (positive − negative) (weights); alpha: 9 values")
    assert theta1["facts"][1].startswith("texts: 5 continuations per prompt")
    assert (theta1["row"], theta1["figures"]) == (sweep_table([]).row, ["fig3", "fig5", "lora-curves"])
    assert [name for name, _ in theta1["columns"]] == ["sweep", "prompts", "alpha", "point", *STATISTIC_COLUMNS]
    # What a figure finds in this table alone is said beside it.
    assert "drawn" not in captions.table_settings(study, "theta1")
    drawn = captions.table_settings(study, "plane")["drawn"]
    # Without its looks, on which no finding depends.
    assert drawn == study.declared.figures["fig7"].drawn(study) and "dpi" not in drawn and "panels" in drawn
    summary = captions.table_settings(study, "taylor_summary")["text"]
    assert (summary["row"], summary["figures"]) == (Linearity.TABLES["_summary"].row, ["linearity"])
    # Of loss on held-out text: no texts are generated.
    losses = captions.table_settings(study, "plane-loss")["text"]["facts"]
    assert losses[-1].startswith("plane-loss: loss of the test split of corpus reviews along plane, ") and not any(
        fact.startswith("texts:") for fact in losses
    )
    assert [fact.partition(":")[0] for fact in captions.table_settings(study, "barriers")["text"]["facts"]][-3:] == [
        "texts",
        "perplexity",
        "barriers",
    ]


# --- pages ---

HOSTILE = "<script>document.title = 'x'</script> *a* | b_c_"


def test_what_a_model_wrote_is_shown_as_it_stands() -> None:
    frame = pd.DataFrame({"row": [0], "prompt": ["The film"], "coordinate": [0], "theta1": [HOSTILE], "long": "x" * 90})
    text = write_up("mine", {"title": "", "caption": "", "paper": ""}, [], [], ["t.csv"], [frame], [])
    for page in (table_page("mine", frame), markdown_page("mine", text)):
        assert "<script" not in page and "<em>" not in page
        assert "&lt;script&gt;" in page and "*a* | b_c_" in page and "x" * 90 in page


def test_the_front_page_counts_texts_once_and_verdicts_by_section() -> None:
    one = pd.DataFrame({"prompts": "p", "point": ["a=1", "a=1", "b=1"], "n_texts": [3, 4, 5]})
    two = pd.DataFrame({"prompts": ["p", "q"], "point": ["b=1", "b=1"], "n_texts": [5, 5]})
    assert count_texts([("weights", one), ("weights", two)]) == 4 + 5 + 5
    assert count_texts([("weights", one), ("logits", two)]) == 4 + 5 + 5 + 5
    claims = [
        {"section": section, "verdict": verdict, "weak_judge": False}
        for section, verdict in [("5", "holds"), ("4.1", "holds"), ("4.1", "not tested"), ("4.1", "undecided")]
    ]
    text = write_overview("mine", 7, 2, 3, 1000, ["a fact"], ["a judge"], ["a leak"], claims)
    assert "**1000 texts** from 7 points (2 of them ensembles, which combine logits) on 3 sweeps" in text
    assert "Of **4 claims of the paper** 2 hold, 1 is undecided, 1 is not tested." in text
    assert "| 4.1 | 1 | 0 | 1 | 1 |\n| 5 | 1 | 0 | 0 | 0 |\n" in text
    assert text.endswith("- a fact\n\n**Judges**\n\n- a judge\n\n**Data**\n\n- a leak\n")
    claims[1]["weak_judge"] = True
    marked = write_overview("mine", 7, 2, 3, 1000, [], [], [], claims)
    assert "1 is not tested. 1 of them rests on a weak judge.\n" in marked
    assert "claims" not in write_overview("mine", 7, 0, 3, 1000, [], [], [], [])


# --- the report of a study, in a browser ---


def make_results(study: Study, folder: Path) -> None:
    """Made-up metrics, tables and verdicts of tests/tiny.yaml, as if its jobs had run, one after the other."""
    write_metrics(study, folder)
    # What else these trainings make: without it they would run.
    for model in study.models.trained("classifier"):
        (folder / study.path("models", model)).mkdir(parents=True)
        (folder / study.path("training", model, "loss.csv")).touch()
    (folder / study.path("leaks.json")).write_text(json.dumps({"configured": [], "leaks": ["one leak"], "unknown": []}))
    (folder / study.path("tables")).mkdir(parents=True)
    statistics = {"sentiment": "score", "perplexity": "continuation_corpus", "distinct": "distinct_1"}
    for name in study.scored_sweeps():
        sweep = study.sweeps[name]
        (coordinate,) = sweep.coordinates
        rows = [
            {"sweep": name, "prompts": "neutral", coordinate: float(entry.coordinates[0][1]), "point": entry.point.id}
            | {"scorer": scorer, "statistic": statistics[scorer], "estimate": 0.5 + index / 10}
            | {"low": 0.4, "high": 0.9, "n_prompts": 4, "n_texts": 12, "n_excluded": 0}
            for index, entry in enumerate(sweep.points)
            for scorer in statistics
        ]
        pd.DataFrame(rows).to_csv(folder / study.path("tables", f"{name}.csv"), index=False)
    losses = {"sweep": "theta1", "alpha": [0.0], "point": "negative=1", "class": "positive", "statistic": "nll_text"}
    losses |= {"estimate": 9.0, "low": 8.0, "high": 10.0, "n_texts": 10, "n_tokens": 99}
    pd.DataFrame(losses).to_csv(folder / study.path("tables", "losses.csv"), index=False)
    search = {"search": "search", "learning_rate": [0.003, 0.003], "batch_size": 8, "steps": [5, 10], "dev_loss": 2.0}
    search |= {"dev_perplexity": 7.4, "chosen": ["true", "false"], "configured": "false"}
    pd.DataFrame(search).to_csv(folder / study.path("tables", "search.csv"), index=False)
    entries = [untested(claim.settings(name), "nothing was run") for name, claim in study.declared.claims.items()]
    write_claims(study.name, corrected(entries), [], [], *(folder / path for path in study.targets.claims()))
    (folder / study.path("summary.txt")).write_text("made up\n")


END_OF_SCRIPT = "</script><script>document.title = 'x'</script><!-- <script> {x}"


def copy_study(folder: Path) -> Study:
    """The workflow and a config, ``folder/mine.yaml``, with its made-up results; figures and pages are to be made."""
    copy_workflow(folder)
    config = yaml.safe_load(TINY.read_text())
    config["figures"]["fig3"] |= {"section": "§ 4.1 Lines", "title": "Two lines", "caption": "What is seen."}
    config["sweeps"]["theta1"]["label"] = END_OF_SCRIPT
    for claim in config["claims"].values():
        claim |= {"statement": END_OF_SCRIPT, "reason": f"{END_OF_SCRIPT} [^1] {{ref}}`x`"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(config))))
    study = Study(config)
    make_results(study, folder)
    return study


def write_report(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return run(folder, "lm_interpolation", "report", "--cores", "1", "--configfile", *arguments, **options)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    """The report of the made-up study."""
    folder = tmp_path_factory.mktemp("report")
    study = copy_study(folder)
    # Captions tell of its special tokens.
    shutil.copytree(tiny_tokenizer, folder / study.path("tokenizers", "bpe"))
    keep_records(folder, "mine.yaml")
    options = ("--cores", "1", "--configfile", "mine.yaml", "--rerun-triggers", "mtime", "--quiet", "all")
    made = run(folder, "snakemake", *options, "--", *study.targets.figures(), *study.targets.pages())
    assert made.returncode == 0, made.stdout + made.stderr
    # It is not in the report, and there are no texts to make it of.
    (page,) = study.targets.explorer()
    (folder / page).write_text("")
    keep_records(folder, "mine.yaml")
    done = write_report(folder, "mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("results/tiny/report.html: ")
    assert "note:" not in done.stderr
    return folder / "results" / "tiny" / "report.html"


def test_results_older_than_the_settings_are_told(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.chdir(report.parents[2]):
        study = Study(read_study(["mine.yaml"]))
        options = ["--cores", "1", "--configfile", "mine.yaml"]
        check_current(study, options, "make all", Path())
        assert capsys.readouterr().err == ""
        changed = [*options, "--config", 'figures={"fig3": {"caption": "Something else."}}']
        check_current(study, changed, "make all", Path())
        assert "note: results of study tiny are older than its settings" in capsys.readouterr().err


def test_what_is_not_as_it_was_made_is_shown_as_it_stands(report: Path, tmp_path: Path) -> None:
    """Also where no record says which rule made it, by which Snakemake sorts."""
    folder = shutil.copytree(report.parents[2], tmp_path / "copy", ignore=shutil.ignore_patterns(".snakemake"))
    study = Study(read_study([folder / "mine.yaml"]))
    (folder / study.targets.explorer()[0]).write_text("changed")
    for record in (folder / study.path("made", "figures")).rglob("fig3.png*"):
        record.unlink()
    done = write_report(folder, "mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: results of study tiny are older" in done.stderr


class Scripts(HTMLParser):
    """What stands in the scripts of a page, by their ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._id: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._id = (dict(attributes).get("id") or "") if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self._id:
            self.found[self._id] = self.found.get(self._id, "") + data


def test_no_text_ends_a_script_of_the_report(report: Path) -> None:
    """Snakemake writes the settings of jobs, among them labels, into scripts of its page, as JSON."""
    scripts = Scripts(report.read_text(encoding="utf-8")).found
    read = {name: re.fullmatch(r"\s*var \w+ = (.*);\s*", scripts[name]) for name in ("results", "categories", "rules")}
    data = {name: json.loads(found[1]) for name, found in read.items() if found}
    assert data.keys() == read.keys()
    (figure,) = (found for path, found in data["results"].items() if path.endswith("fig3.png"))
    assert END_OF_SCRIPT in figure["job_properties"]["params"]
    page = (report.parent / "claims.html").read_text(encoding="utf-8")
    assert "<script" not in page and page.count(html.escape(END_OF_SCRIPT, quote=False)) == 2


def test_a_report_that_cannot_be_written_leaves_the_older_one(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A Python that is forked from a warm one does not inherit limits.
    monkeypatch.setattr(sys, "executable", str(Path(sys.prefix, "bin", "python")))
    # The system refuses to let a file grow, as a full disk does.
    limit = 1_000_000
    before = report.read_bytes()
    assert len(before) > limit
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
    done = write_report(report.parents[2], "mine.yaml", **full)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "error: results/tiny/report.html: not written: File too large"
    assert "Traceback" not in done.stderr
    assert report.read_bytes() == before
    assert not list(report.parent.glob(".*"))


def test_an_unfinished_study_is_told_what_it_lacks(tmp_path: Path) -> None:
    study = copy_study(tmp_path)
    missing = [path for path in study.targets.results() if not (tmp_path / path).exists()]
    done = write_report(tmp_path, "mine.yaml")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"error: study tiny is not finished: {len(missing)} of {len(study.targets.results())} results are missing "
        f"({', '.join(missing[:3])}, ...); build them with make all CONFIG=mine.yaml, then ask for the report again"
    )
    assert not (tmp_path / study.path("report.html")).exists()


def test_a_mistake_in_the_config_is_told_in_one_line(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    shutil.copy(TINY, tmp_path / "mine.yaml")
    for arguments, told in [
        (("mine.yaml", "--config", "study=a/b"), "mine.yaml: study"),
        (("none.yaml",), "none.yaml"),
    ]:
        done = write_report(tmp_path, *arguments)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: ") and told in done.stderr.splitlines()[-1]


def test_a_report_that_cannot_be_written_is_told_before_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    # Root may write everywhere, but not below a file.
    Path("results", "tiny").write_text("in the way")
    monkeypatch.setattr("lm_interpolation.commands.report.check_finished", lambda *_: None)
    monkeypatch.setattr("lm_interpolation.commands.report.check_current", lambda *_: pytest.fail("planned"))
    with pytest.raises(UserError, match=r"^results/tiny/report\.html: not written: File exists$"):
        main(["--cores", "1", "--configfile", str(TINY)])


@pytest.fixture(scope="module")
def browser_page(report: Path) -> Iterator[tuple[Page, list[str]]]:
    """The report in a real browser, and what went wrong there: errors, and anything fetched from elsewhere."""
    if CHROMIUM is None:
        pytest.skip("no Chromium; on Debian: apt-get install chromium")
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        local = ("file:", "data:", "blob:")
        page.on("request", lambda request: None if request.url.startswith(local) else wrong.append(request.url))
        page.goto(report.as_uri())
        yield page, wrong
        browser.close()


def show(page: Page, category: str, subcategory: str | None, name: str) -> None:
    """Open a result of a category and its description."""
    page.reload()
    page.get_by_text(category, exact=True).first.click()
    if subcategory is not None:
        page.get_by_text(subcategory, exact=True).click()
    row = page.get_by_role("row").filter(has_text=name)
    row.get_by_role("link").nth(0).click()
    row.get_by_role("link").nth(1).click()


def test_the_front_page_tells_of_the_study(browser_page: tuple[Page, list[str]]) -> None:
    page, wrong = browser_page
    heading = page.get_by_role("heading", name="Study tiny")
    heading.wait_for()
    # At the top of the window, though the page is taller.
    box = heading.bounding_box()
    assert box is not None and 0 <= box["y"] < 100
    text = page.locator("#app").inner_text()
    # 4 points of weights, of which the sweeps share one, and one of logits.
    assert "60 texts from 5 points (1 of them ensembles, which combine logits) on 3 sweeps" in text
    assert "Of 1 claims of the paper 1 is not tested." in text
    for category in ("§ 4.1 Lines", "Claims", OTHER_SECTION):
        assert category in text
    # The links among the text, as well as the menu.
    page.locator(".prose").get_by_role("link", name="§ 4.1 Lines").click()
    page.get_by_text("Figures", exact=True).wait_for()
    assert wrong == []


def test_a_figure_opens_with_its_caption(browser_page: tuple[Page, list[str]]) -> None:
    page, wrong = browser_page
    show(page, "§ 4.1 Lines", "Figures", "fig3")
    picture = page.locator("img[src^='data:image/png']")
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 500
    text = page.locator("#app").inner_text()
    for told in ("fig3: Two lines", "What is seen.", "In the paper.", "up to 12 texts per point", "alpha: 3 values"):
        assert told in text
    assert "System Message" not in text and wrong == []


def test_a_table_opens_with_its_caption(browser_page: tuple[Page, list[str]]) -> None:
    page, wrong = browser_page
    show(page, "§ 4.1 Lines", "Tables", "theta1")
    cells = page.frame_locator("iframe").get_by_role("row")
    cells.first.wait_for()
    assert cells.count() == 1 + 9
    assert cells.nth(1).inner_text().split("\t")[:4] == ["theta1", "neutral", "0.0", "negative=1"]
    text = page.locator("#app").inner_text()
    for told in (sweep_table([]).row, "9 rows: 3 points, up to 4 prompts per point", "texts without a score"):
        assert told in text
    assert "System Message" not in text and wrong == []


def test_verdicts_and_run_times_open(browser_page: tuple[Page, list[str]]) -> None:
    page, wrong = browser_page
    show(page, "Claims", None, "verdicts")
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Claims of the study tiny").wait_for()
    assert "no-barrier" in frame.get_by_role("table").inner_text()
    assert "Verdicts: holds 0, refuted 0, undecided 0, not tested 1, of 1." in page.locator("#app").inner_text()
    page.reload()
    page.get_by_text("Statistics", exact=True).first.click()
    page.locator("#runtimes canvas, #runtimes svg").first.wait_for()
    assert wrong == []
