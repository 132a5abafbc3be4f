"""Self-contained HTML pages of tables and of Markdown, for the report."""

import html

import pandas as pd

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 1.5rem; color: #1a1a1a; background: #fff; font: 14px/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.3rem }}
p, li {{ max-width: 60rem }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
th {{ position: sticky; top: 0; background: #e8e8e8; text-align: left }}
th, td {{ padding: 0.25rem 0.6rem; border-bottom: 1px solid #d0d0d0; vertical-align: top }}
td p, th p {{ margin: 0 }}
.literal {{ font-family: monospace }}
tbody tr:nth-child(even) {{ background: #f6f6f6 }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def table_page(title: str, frame: pd.DataFrame) -> str:
    """A page with all rows of ``frame``, whose cells are strings and are shown literally."""
    # By default pandas cuts long texts.
    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(index=False, border=0)
    return _PAGE.format(title=html.escape(title), body=f"<h1>{html.escape(title)}</h1>\n{table}")


def markdown_page(title: str, text: str) -> str:
    """A page from ``text``, Markdown with tables. Raises ``docutils.utils.SystemMessage`` if it cannot be parsed."""
    # Imported here: the many pages of tables do not need it.
    from docutils.core import publish_parts
    from myst_parser.docutils_ import Parser

    # Warnings and worse are errors.
    strict = {"halt_level": 2}
    parts = publish_parts(text, parser=Parser(), writer="html5", settings_overrides=strict)
    return _PAGE.format(title=html.escape(title), body=parts["html_body"])
