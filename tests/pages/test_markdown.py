"""Text in configs and texts of models are never markup: every page shows them literally."""

import html
import json
import re
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import yaml
from docutils.core import publish_parts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from myst_parser.docutils_ import Parser

from lm_interpolation.claims.page import claims_markdown
from lm_interpolation.claims.verdicts import untested
from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.pages.captions import write_up
from lm_interpolation.pages.facts import describe_entry
from lm_interpolation.pages.markdown import bullets, plain, table_row
from lm_interpolation.pages.overview import write_overview
from lm_interpolation.pages.pages import markdown_page, table_page
from lm_interpolation.pages.table_captions import write_up_table
from lm_interpolation.study.kinds.claims.barrier import BarrierClaim

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "workflow" / "report"

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)> ![a](b.png)",
    "link": "[a](javascript:alert(1)) <javascript:alert(1)> [b][c]",
    "links of numbers": "[1](javascript:alert(1)) [2][3] [4]: x [1]",
    "footnote": "a[^1]",
    "definitions": "[^1]: a",
    "target": "(x)=",
    "table": "a | b || \\| c",
    "code": "`a` ``b ```c",
    "fence": "```{include} /etc/passwd\n```",
    "role": "{ref}`x` {{ config }} {% raw %} {x}",
    "formula": "$x_1$ and $$y$$ for $5 and \\$6 \\frac{",
    "end of a script": "</script></style><!-- -->",
    "heading": "one\n# two\n\nthree\n---\n===",
    "rule": "---",
    "front matter": "---\ntitle: x\n---",
    "entities": "&amp; &lt;b&gt; &#36; &nbsp",
    "emphasis": "*a* **b** _c_ __d__ ~~e~~ f_g",
    "list": "1. one\n2) two\n- three\n+ four",
    "number": "12.",
    "dash": "-",
    "quotation": "> a",
    "comment": "% a",
    "directive": ":::{note}\na\n:::",
    "block break": "+++",
    "backslashes": "\\ \\\\ \\",
    "RST": "a_ `b`_ [1]_ |c| *d ::",
    "white space": "  a\t\tb\u2028c\u00a0d\r\n ",
    "right to left": "\u202eabc \u2067d",
    "control": "a\x07b\x1b[31mc",
}


def read(markdown: str) -> tuple[str, str]:
    """HTML of the Markdown, strictly, and the text that a reader of it sees."""
    page = publish_parts(markdown, parser=Parser(), writer="html5", settings_overrides={"halt_level": 2})["html_body"]
    return page, html.unescape(re.sub(r"<[^>]*>", "", page))


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("around", ["{}", "a {} b", "- {}", "# {}", "**Bold.** {}", "| a | b |\n|---|---|\n| {} | c |"])
def test_a_text_reads_as_it_was_typed(text: str, around: str) -> None:
    page, seen = read(around.format(plain(text)) + "\n")
    # What ends a direction is not seen.
    assert one_line(text) in one_line(seen)
    assert not re.search(r"<(script|a|img|em|code|pre|hr|ol|blockquote|h[2-6]|aside|s)\b", page)


def test_lists_and_rows_hold_one_item_per_text() -> None:
    page, _ = read("\n".join(bullets(HOSTILE.values())) + "\n")
    assert page.count("<li>") == len(HOSTILE)
    rows = [
        table_row(["a", "b"]),
        table_row(["---"] * 2),
        *(table_row([plain(text), "b"]) for text in HOSTILE.values()),
    ]
    page, _ = read("\n".join(rows) + "\n")
    assert page.count("<td>") == 2 * len(HOSTILE)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("a", ""),
        ("\u202ea", "\u202c"),
        ("\u202ea\u202c", ""),
        ("\u2067\u202ea", "\u202c\u2069"),
        ("\u2067\u202ea\u2069", ""),
        ("\u2069\u202c\u2066a", "\u2069"),
    ],
)
def test_a_direction_of_writing_ends_with_its_text(text: str, ends: str) -> None:
    assert plain(text) == text + ends


def test_plain_words_stay_readable() -> None:
    for text in (
        "θ₁(α) = α θ⁺ + (1 − α) θ⁻",
        "continuation_corpus, up to 5 %",
        "§ 4.1, Fig. 3.",
        "4.1",
        "α ∈ [−1, 2]",
        "0.7 [0.54, -1]",
    ):
        assert plain(text) == text


# --- pages ---


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_of_a_config_is_markup_on_a_page(text: str) -> None:
    claim = {"test": "barrier", "sweep": "theta1", "prompts": "neutral", "scorer": "perplexity", "threshold": 0.1}
    settings = BarrierClaim.model_validate({**claim, "reason": "ours"}).settings("mine")
    entry = untested({**settings, "reason": text, "statement": text, "section": text}, f"not tested: {text}")
    fact = describe_entry("losses", {"kind": "loss", "pairs": {text: {"model": "a"}}})
    frame = pd.DataFrame({"row": [0], "prompt": [text], "coordinate": [0], text: [text]})
    pages = {
        "claims": (claims_markdown("mine", [entry], [f"scorer by {text}"], [text]), 6),
        "figure": (
            write_up(
                "fig", dict.fromkeys(("title", "caption", "paper"), text), [fact], [text], ["t.csv"], [frame], [text]
            ),
            9,
        ),
        "table": (
            write_up_table("t", "A row.", [("row", "number")], [fact, text], [text], ["fig"], frame[["row"]], [text]),
            4,
        ),
        "overview": (write_overview("mine", 1, 0, 1, 9, [fact], [text], [text], [entry]), 4),
    }
    idea = markdown_page("mine", write_overview("mine", 1, 0, 1, 9, [], [], [], []))
    told = one_line(text)
    for name, (markdown, times) in pages.items():
        page = markdown_page("mine", markdown)
        seen = html.unescape(re.sub(r"<[^>]*>", "", page))
        assert one_line(seen).count(told) >= times, name
        allowed = {"https://arxiv.org/abs/2211.12092", "fig.png"}
        assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) <= allowed, name
        assert not re.search(r"<(script|pre|hr|ol|blockquote|aside)\b", page), name
        assert page.count("<em>") == idea.count("<em>") * (name == "overview"), name
    page = table_page("mine", frame)
    # Where a line ends is shown.
    shown = re.sub(r"\\[ntr]", " ", page) if re.search(r"[\n\t\r]", text) else page
    assert page.count("<td>") == 4 and one_line(html.escape(text, quote=False)) in one_line(shown)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_figures_draw_every_label(text: str) -> None:
    table = pd.DataFrame({"sweep": "s", "prompts": "p", "alpha": [0.0, 1.0], "point": ["a=1", "b=1"]})
    table = table.assign(scorer="judge", statistic="score", estimate=[1.0, 2.0], low=0.5, high=3.0)
    table = table.assign(n_prompts=4, n_texts=12, n_excluded=0)
    figure = plot_curves(
        [table],
        [{"scorer": "judge", "statistic": "score", "label": text, "scale": "linear"}],
        coordinate_labels={"alpha": text},
        sweep_labels={"s": text},
        title=text,
    )
    FigureCanvasAgg(figure).draw()
    texts = {found.get_text() for found in figure.findobj(lambda artist: hasattr(artist, "get_text"))}
    assert any(one_line(text) in one_line(found) for found in texts)


# --- what Snakemake makes of them in report.html ---


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_captions_of_the_report_show_texts_as_they_stand(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``snakemake.report`` renders them: with links to all categories, called after sections, at their end."""
    import jinja2

    monkeypatch.chdir(tmp_path)
    folder = Path("results/mine/figures")
    folder.mkdir(parents=True)
    spec = {"title": text, "caption": text, "paper": text}
    (folder / "fig.md").write_text(write_up("fig", spec, [text], [text], [], [], [text]), encoding="utf-8")
    overview = write_overview("mine", 1, 0, 1, 9, [text], [text], [text], [])
    (folder.parent / "overview.md").write_text(overview, encoding="utf-8")
    links = (
        "\n\n{% for cat, catresults in categories|dictsort %}\n.. _{{ cat.name }}: javascript:x('y')\n{% endfor %}\n"
    )
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    category = type("Category", (str,), {"name": property(one_line)})
    for template in ("figure.rst", "workflow.rst"):
        made = environment.from_string((REPORT / template).read_text() + links).render(
            snakemake=_Job(), categories={category(text): {}}, files=[]
        )
        page = publish_parts(made, writer="html5", settings_overrides={"halt_level": 2})["html_body"]
        seen = one_line(html.unescape(re.sub(r"<[^>]*>", "", page)))
        assert seen.count(one_line(text)) >= 4
        assert "<script" not in page and "System Message" not in page
        assert set(re.findall(r'href="([^"]*)"', page)) <= {
            "https://arxiv.org/abs/2211.12092",
            f"javascript:app.showCategory('{jinja2.filters.do_urlencode(one_line(text))}')",
        }


class _Job:
    output = type("Output", (), {"png": "results/mine/figures/fig.png"})
    wildcards = type("Wildcards", (), {"figure": "fig"})
    config: ClassVar = {"study": "mine"}


def test_no_config_of_ours_writes_markup() -> None:
    """Whoever wants a word in bold is told by the documentation that there is none."""
    for file in sorted((ROOT / "config").glob("*.yaml")):
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        # Corpora quote their texts (<unk>).
        text = json.dumps({key: value for key, value in config.items() if key != "corpora"}, ensure_ascii=False)
        assert not re.search(r"\*\*|\]\(|<[a-z]+>", text), file
