# Conventions that rules share. The log and the benchmark of a job are named after its first output, without the suffix
# (study.log, study.benchmark). params.settings holds everything that a result depends on; params.execution says how the
# job runs. The latter is always a function of threads: Snakemake does not compare parameters derived from threads, so a
# change there reruns nothing.

from lm_interpolation.points.algebra import POINT_ID
from lm_interpolation.study import captions

# Jobs of points are grouped only on clusters; the profile lists the members. (Otherwise dry runs would show groups.)
POINTS = "points" if workflow.remote_exec else None


wildcard_constraints:
    point=POINT_ID,


def growing(amount):
    """A resource: ``amount`` (MB of memory, minutes) at first, and the same amount more with each retry."""
    return lambda wildcards, attempt: amount * attempt


def trained(wildcards):
    """The model that a job trains; a trial of a search trains the model of the search."""
    return config["searches"][wildcards.search]["model"] if "search" in wildcards.keys() else wildcards.model


def processes(wildcards):
    """Number of processes that train it together; on cuda each has a GPU."""
    return study.models.processes(trained(wildcards))


def replicates(wildcards):
    """The members of a family."""
    return study.declared.families()[wildcards.family]


_registered = workflow.modifier.rules


def own_rules():
    """Only the rules of this workflow, once all have been read; in a module there are also rules of other workflows."""
    names = {rule.name for rule in _registered}
    return [rule for rule in workflow.rules if rule.name in names]


def figure_of(wildcards):
    """The study's declaration of a figure."""
    return study.declared.figures[wildcards.figure]


# What snakemake --report shows: rules mark files for it when they name their outputs.


def category(section):
    """``section`` as a category. An invisible character after each brace keeps Snakemake from seeing a wildcard."""
    return section.replace("{", "{\u2060")


def drawn(suffix, format):
    """A file of a figure for the report, which shows its ``format``."""
    return report(
        study.path("figures", f"{{figure}}.{suffix}"),
        caption="../report/figure.rst",
        category=lambda wildcards: category(captions.section(study, wildcards.figure)),
        subcategory="Figures",
        labels={"figure": "{figure}", "format": format},
    )


def tabulated(table, caption="../report/table.rst", suffix="csv", format="table (CSV)"):
    """A file of the table ``table`` for the report, which shows its ``format``."""
    return report(
        study.path("tables", f"{table}.{suffix}"),
        caption=caption,
        category=lambda wildcards, output: category(captions.table_section(study, Path(output[0]).stem)),
        subcategory="Tables",
        labels={"table": table, "format": format},
    )


def verdicts_file(suffix, format):
    """A file of the verdicts for the report, which shows its ``format``."""
    return report(
        study.path(f"claims.{suffix}"),
        caption="../report/claims.rst",
        category="Claims",
        labels={"claims": "verdicts", "format": format},
    )
