# What snakemake --report shows, and under which section of the paper: files that rules mark when they name their outputs.


# The front page.
report: "../report/workflow.rst"


def category(section):
    """``section`` as a category. What Snakemake takes for a wildcard, and would fail on, is kept apart unseen."""
    return section.replace("{", "{\u2060")


def drawn(suffix, format):
    """A file of a figure, as the report shows it; ``format`` is told there."""
    return report(
        study.path("figures", f"{{figure}}.{suffix}"),
        caption="../report/figure.rst",
        category=lambda wildcards: category(study.section(wildcards.figure)),
        subcategory="Figures",
        labels={"figure": "{figure}", "format": format},
    )


def tabulated(table, caption="../report/table.rst", suffix="csv", format="table (CSV)"):
    """A file of a table, whose name is ``table``, as the report shows it; ``format`` is told there."""
    return report(
        study.path("tables", f"{table}.{suffix}"),
        caption=caption,
        category=lambda wildcards, output: category(study.table_section(Path(output[0]).stem)),
        subcategory="Tables",
        labels={"table": table, "format": format},
    )


def verdicts_file(suffix, format):
    """A file of the verdicts, as the report shows it; ``format`` is told there."""
    return report(
        study.path(f"claims.{suffix}"),
        caption="../report/claims.rst",
        category="Claims",
        labels={"claims": "verdicts", "format": format},
    )
