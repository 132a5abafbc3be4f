"""``make bench``: run the benchmarks, print one table, write docs/benchmarks.md, its plot and docs/benchmarks.json.

    python -m benchmarks.run [--only NAME ...] [--runs N] [--folder DIR] [--docs DIR]

With ``--only`` the rows of the other benchmarks stay as the JSON has them.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from benchmarks.harness import ROOT, Goal, Row, machine
from lm_interpolation.commands.program import run_program
from lm_interpolation.figures.naming import scaled_label
from lm_interpolation.figures.series import series_styles
from lm_interpolation.jobs.scratch import own_scratch

BENCHMARKS = ("merge", "methods", "plane", "generation", "ensemble", "layers", "scoring", "point", "dag", "disk")
"""Modules of this package, each with ``run(runs, folder) -> (rows, growths)``; ``folder`` is theirs to fill."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=(*BENCHMARKS, "gpu"), default=BENCHMARKS, metavar="NAME")
    parser.add_argument("--runs", type=int, default=5, help="turns of each comparison (default 5)")
    parser.add_argument("--folder", type=Path, help="where models are made, about 25 GB (default: a temporary one)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes (default: docs)")
    options = parser.parse_args(arguments)
    matplotlib.use("Agg")
    page = options.docs / "benchmarks.json"
    results: dict[str, Any] = json.loads(page.read_text(encoding="utf-8")) if page.exists() else {}
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="lm-interpolation-bench-", dir=options.folder) as folder:
            rows, growths = import_module(f"benchmarks.{name}").run(options.runs, Path(folder))
        for row in rows:
            print(" | ".join(_cells(row.record())), flush=True)
        results[name] = {
            "machine": machine(),
            "rows": [row.record() for row in rows],
            "growth": [
                {
                    "what": growth.what,
                    "size": growth.size,
                    "sizes": growth.sizes,
                    "seconds": growth.seconds,
                    "slope": growth.slope(),
                }
                for growth in growths
            ],
        }
        # After each, so that a benchmark that fails takes none with it.
        with own_scratch(page) as scratch:
            scratch.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        _write_page(results, options.docs)
    print(f"written: {options.docs / 'benchmarks.md'}")


_HEAD = ("benchmark", "work", "ours", "peer", "peer's", "peer / ours", "limit", "ours / limit", "goal", "met", "runs")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    as_row = Row(
        **{key: value for key, value in row.items() if key not in ("runs", "goals")},
        goals=[Goal(goal["of"], goal["sense"], goal["bound"]) for goal in row["goals"]],
    )
    words = {"peer": "{} × faster", "limit": "{} × the limit", "ours": f"{{}} {row['unit']}"}
    goals = [f"{goal.sense} {words[goal.of].format(f'{goal.bound:g}')}" for goal in as_row.goals]
    return (
        row["benchmark"],
        row["work"],
        _spread(row["ours"], row["unit"]),
        row["peer"] or "–",
        _spread(row["peers"], row["unit"]),
        _spread(as_row.values("peer"), "×") if row["peers"] else "–",
        f"{row['limit']}: {_spread(row['limits'], row['unit'])}" if row["limits"] else "–",
        _spread(as_row.values("limit"), "×") if row["limits"] else "–",
        "; ".join(goals) or "–",
        "; ".join("yes" if as_row.met(goal) else "no" for goal in as_row.goals) or "–",
        str(row["runs"]),
    )


def _spread(values: Sequence[float], unit: str) -> str:
    """Median and, of several runs, extremes."""
    if not values:
        return "–"
    middle = f"{statistics.median(values):.3g} {unit}"
    return middle if len(values) == 1 else f"{middle} [{min(values):.3g}, {max(values):.3g}]"


def _write_page(results: dict[str, Any], docs: Path) -> None:
    """docs/benchmarks.md: the machine, the table, notes on rows, the plot of growth, and benchmarks/notes.md."""
    lines = ["# Benchmarks", "", "Written by `make bench`; the raw runs are in `benchmarks.json`.", ""]
    lines += ["Medians over runs that took turns, with [smallest, largest]; ratios are taken within each turn.", ""]
    machines = {json.dumps(result["machine"], sort_keys=True): result["machine"] for result in results.values()}
    for found in machines.values():
        names = [name for name, result in results.items() if result["machine"] == found]
        versions = ", ".join(f"{package} {number}" for package, number in found["versions"].items())
        lines.append(
            f"- {', '.join(names)}: {found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB, "
            f"{found['system']}, Python {found['python']}, {versions}; revision {found['revision']}"
        )
    lines += ["", "| " + " | ".join(_HEAD) + " |", "|" + " --- |" * len(_HEAD)]
    rows = [row for result in results.values() for row in result["rows"]]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    lines += ["", *(f"- **{row['benchmark']}, {row['work']}**: {row['note']}" for row in rows if row["note"])]
    growths = [growth for result in results.values() for growth in result["growth"]]
    if growths:
        _plot(growths, docs / "benchmarks.png")
        lines += ["", "## Growth", "", "![Time against size](benchmarks.png)", ""]
        lines += ["| what | size | sizes | median seconds | slope (log-log) |", "|" + " --- |" * 5]
        for growth in growths:
            sizes = ", ".join(f"{size:g}" for size in growth["sizes"])
            medians = ", ".join(f"{statistics.median(runs):.3g}" for runs in growth["seconds"])
            lines.append(f"| {growth['what']} | {growth['size']} | {sizes} | {medians} | {growth['slope']:.2f} |")
    notes = (Path(__file__).parent / "notes.md").read_text(encoding="utf-8")
    with own_scratch(docs / "benchmarks.md") as scratch:
        scratch.write_text("\n".join(lines) + "\n\n" + notes, encoding="utf-8")


def _plot(growths: Sequence[dict[str, Any]], path: Path) -> None:
    sizes = list(dict.fromkeys(growth["size"] for growth in growths))
    figure, axes = plt.subplots(1, len(sizes), figsize=(3.8 * len(sizes), 5), squeeze=False, layout="constrained")
    for axis, size in zip(axes[0], sizes, strict=True):
        shown = [growth for growth in growths if growth["size"] == size]
        for growth, style in zip(shown, series_styles(len(shown)), strict=True):
            medians = [statistics.median(runs) for runs in growth["seconds"]]
            label = f"{growth['what']} (slope {growth['slope']:.2f})"
            axis.plot(growth["sizes"], medians, label=label, **style)
        axis.set(xscale="log", yscale="log", xlabel=scaled_label(size, "log"))
        # Sizes as they were, and seconds at 1, 2, 5: within a decade the default labels run into each other.
        axis.set_xticks(sorted({value for growth in growths if growth["size"] == size for value in growth["sizes"]}))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.tick_params(axis="x", labelsize="small", labelrotation=45)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.25), frameon=False)
    axes[0][0].set_ylabel(scaled_label("seconds (median)", "log"))
    with own_scratch(path) as scratch:
        figure.savefig(scratch, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    run_program(main, sys.argv[1:])
