"""The front page of the report: the study on one screen."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_interpolation.claims.vocabulary import VERDICTS, count_verdicts
from lm_interpolation.pages.markdown import plain, section, table_row

if TYPE_CHECKING:
    import pandas as pd

_IDEA = """\
Take a language model θ⁰ and models that were fine-tuned from it towards opposite attributes. Every affine combination \
of their weights, θ = Σ cₘ θₘ with Σ cₘ = 1, is a *point*, and again a model. Along *sweeps* of points this study \
generates texts, has them scored by judges, and asks what changes; after *Linear Interpolation in Parameter Space is \
Good Enough for Fine-Tuned Language Models* (Rofin, Balagansky, Gavrilov 2022, \
[arXiv 2211.12092](https://arxiv.org/abs/2211.12092))."""


def count_texts(tables: "Iterable[tuple[str, pd.DataFrame]]") -> int:
    """Number of texts with a score, from pairs (space, sweep table) of all sweeps; shared points count once."""
    found: dict[tuple[str, ...], int] = {}
    for space, table in tables:
        most = table.groupby(["prompts", "point"], as_index=False)["n_texts"].max()
        for prompts, point, texts in zip(most["prompts"], most["point"], most["n_texts"], strict=True):
            found[space, prompts, point] = max(found.get((space, prompts, point), 0), texts)
    return sum(found.values())


def write_overview(
    study: str,
    points: int,
    ensembles: int,
    sweeps: int,
    texts: int,
    facts: Sequence[str],
    judges: Sequence[str],
    leaks: Sequence[str],
    claims: Sequence[Mapping[str, Any]],
) -> str:
    """The page in Markdown. ``ensembles`` is how many of the ``points`` combine logits; ``claims`` is ``claims.json``.

    ``points`` and ``sweeps`` are the numbers of those whose ``texts`` are scored; ``facts`` are lines on sweeps and
    scorers. ``judges`` says how good each classifier is (``judges.judge_lines``), ``leaks`` which texts leak
    (``leaks.leak_lines``).
    """
    combined = f" ({ensembles} of them ensembles, which combine logits)" if ensembles else ""
    size = f"**{texts} texts** from {points} points{combined} on {sweeps} sweeps."
    lines = [f"# Study {study}", "", _IDEA, "", size]
    if claims:
        counts = Counter((claim["section"], claim["verdict"]) for claim in claims)
        weak = sum(claim["weak_judge"] for claim in claims)
        marked = f" {weak} of them {'rests' if weak == 1 else 'rest'} on a weak judge." if weak else ""
        lines += ["", f"Of **{len(claims)} claims of the paper** {count_verdicts(claims)}.{marked}", ""]
        lines += [f"| § | {' | '.join(VERDICTS)} |", "|---" * (1 + len(VERDICTS)) + "|"]
        for place in sorted({claim["section"] for claim in claims}):
            lines.append(table_row([plain(place), *(str(counts[place, verdict]) for verdict in VERDICTS)]))
    for title, items in (("Sweeps and scores", facts), ("Judges", judges), ("Data", leaks)):
        lines += section(title, items)
    return "\n".join(lines) + "\n"
